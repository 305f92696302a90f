"""The workstation portal's command line."""

__version__ = "0.1.0"
