"""Notifications: who is told what, in the portal, by mail and by the team's channels."""
