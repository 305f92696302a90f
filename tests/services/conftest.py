"""Leases of jobs, and a provider that has only lists."""

from collections.abc import Iterator

import pytest

from portal.services.runtime import leases
from tests import factories
from tests.lists import Lists, serve_lists


@pytest.fixture
def lease(db) -> leases.Lease:
    return factories.acquire_lease(name="job")


@pytest.fixture
def recovering(db) -> leases.Lease:
    """Of the job that ends what nobody ends any more, beside another."""
    return factories.acquire_lease(name="recover")


@pytest.fixture
def scan_in_every_round(settings) -> None:
    settings.PORTAL_SCAN_INTERVAL = 0.0


@pytest.fixture
def lists(settings, db) -> Iterator[Lists]:
    """A provider that has only lists, of an account whose first scan is done."""
    with serve_lists() as running:
        settings.AGENTSTATION_BASE_URL = running.base_url
        settings.AGENTSTATION_API_KEY = "lists"
        factories.mark_baseline_scan()
        yield running
