"""Everybody comes at once: to the portal, and to what somebody writes in an afternoon."""
