"""The workstation portal: a team's only door to the provider's API."""

__version__ = "0.1.0"
