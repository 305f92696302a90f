"""Connections: ways into a workstation that a person opens."""
