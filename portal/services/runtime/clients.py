"""The client with which this process calls the provider."""

from django.conf import settings

import portal
from portal import agentstation


def make_client() -> agentstation.Client:
    """A client of the provider by the settings."""
    return agentstation.Client(
        base_url=settings.AGENTSTATION_BASE_URL,
        api_key=settings.AGENTSTATION_API_KEY,
        connect_timeout=settings.AGENTSTATION_CONNECT_TIMEOUT,
        total_timeout=settings.AGENTSTATION_TOTAL_TIMEOUT,
        user_agent=f"workstation-portal/{portal.__version__}",
    )
