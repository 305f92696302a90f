"""The team's key: whose account it reaches, and whether it may be used now."""
