"""The workstation portal's command line and MCP server."""

__version__ = "0.1.0"
