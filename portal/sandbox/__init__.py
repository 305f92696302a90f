"""An imitation of the provider's HTTP API, for demo, tests and rehearsal. It knows nothing of the portal."""
