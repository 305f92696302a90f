"""What an auditor is told about the audit log: how far it is sealed, and whether it is protected."""

import re

import pytest

from portal.db import triggers
from portal.services.audit import seals
from tests import factories
from tests.admin import rows
from tests.audit.conftest import make_seal  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(anna, sign_in):
    """The words of the page's section."""

    def read(address: str = "/admin/") -> str:
        page = sign_in(anna).get(address).content.decode()
        section = page.split("audit-log-state")[1].split("</section>")[0]
        return " ".join(re.sub("<[^>]*>", " ", section).split())

    return read


def test_a_record_without_a_seal_says_so(read):
    words = read()
    assert "Nothing is sealed yet. No event waits" in words
    assert "Not checked yet." in words
    assert "verify_audit --checkpoint checkpoint.json" in words
    assert "Nothing is sealed yet." in read("/admin/portal/event/")


def test_how_far_it_is_sealed_and_how_much_waits(read, alice, seal, settings):
    factories.submit(alice)
    seal()
    assert re.search(r"Sealed up to event \d+, by seal 1 of .*No event waits", read())
    rows.create_event(alice)
    assert "1 newer event waits for the next seal, since" in read()
    rows.create_event(alice)
    assert "2 newer events wait for the next seal, the oldest since" in read("/admin/portal/event/")
    assert "too long" not in read()
    settings.PORTAL_JOB_INTERVAL = 0
    assert "That is too long" in read()


def test_an_auditor_takes_the_newest_seal_as_a_checkpoint(anna, alice, seal, sign_in):
    browser = sign_in(anna)
    response = browser.post("/admin/portal/seal/checkpoint.json", follow=True)
    assert "Nothing has been sealed yet" in response.content.decode()
    factories.submit(alice)
    seal()
    assert 'action="checkpoint.json"' in browser.get("/admin/portal/seal/").content.decode()
    response = browser.post("/admin/portal/seal/checkpoint.json")
    assert response.json() == seals.describe_newest()
    assert response["Content-Disposition"] == 'attachment; filename="checkpoint-1.json"'
    assert seals.read_checkpoint(data=response.json()).number == 1
    assert sign_in(alice).post("/admin/portal/seal/checkpoint.json").status_code == 403


def test_a_record_that_is_not_protected_is_said(read):
    assert "its triggers are all in place" in read()
    triggers.remove_triggers()
    words = read()
    assert "must run manage.py migrate" in words
    assert "The trigger portal_keep_event_update is missing." in words
