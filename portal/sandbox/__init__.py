"""An imitation of the provider's HTTP API, for demos and simulated failures. It knows nothing of the portal."""
