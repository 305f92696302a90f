"""Sentences that are true at the moment at which they are read."""

import pytest

from portal import models
from portal.models.clock import Now
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


def have(person: models.User, **values: object) -> models.Workstation:
    portal_request = factories.submit(person)
    succeeded = {"status": "SUCCEEDED", "ended_at": Now(), "took": 1}
    models.Request.objects.filter(pk=portal_request.pk).update(**succeeded)
    return rows.create_workstation(portal_request, account=portal_request.account, **values)


def test_a_request_whose_workstation_has_ended_is_not_called_ready(sign_in, alice):
    ended, browser = have(alice, ended_at=Now()), sign_in(alice)
    detail = f"/requests/{ended.request_id}/"
    assert "Ended" in browser.get("/?show=ended").text
    for path in ("/", "/requests/", detail):
        page = browser.get(path).text
        assert "<bdi>Ready</bdi>" not in page, path
    assert "<bdi>Ended</bdi>" in browser.get("/requests/").text
    assert "<bdi>Ended</bdi>" in browser.get(detail).text
    assert 'data-request-status="succeeded"' in browser.get(detail).text
    have(alice)
    assert "<bdi>Ready</bdi>" in browser.get("/requests/").text
