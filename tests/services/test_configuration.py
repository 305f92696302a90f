"""Settings that changed are in the audit log by name, and their values nowhere."""

import json

import pytest

from portal.services.reports import configuration
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_first_start_names_all_and_the_next_only_what_changed(settings):
    first = configuration.note_settings()
    assert {"AGENTSTATION_API_KEY", "SECRET_KEY", "DATABASES", "PORTAL_CALLS_IN_FLIGHT"} <= set(first)
    assert configuration.note_settings() == []
    settings.PORTAL_CALLS_IN_FLIGHT = 3
    settings.AGENTSTATION_API_KEY = "another-key-of-the-team"
    assert configuration.note_settings() == ["AGENTSTATION_API_KEY", "PORTAL_CALLS_IN_FLIGHT"]
    assert factories.list_events("settings").count() == 2


def test_no_value_is_in_the_record(settings):
    settings.AGENTSTATION_API_KEY = "another-key-of-the-team"
    configuration.note_settings()
    told = json.dumps(factories.find_event("settings").detail)
    for secret in (settings.AGENTSTATION_API_KEY, settings.SECRET_KEY, settings.AGENTSTATION_BASE_URL):
        assert secret not in told
