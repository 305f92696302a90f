"""Sentences that were once untrue, or not quite English."""

import re

import pytest

from portal import models
from portal.models.clock import Now
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db

# No space is read where such a tag stands.
_INLINE = re.compile(r"</?(?:a|b|bdi|code|kbd|span|time|svg|use)\b[^>]*>")
PATHS = (
    *("/", "/key/", "/usage/", "/requests/new/", "/requests/", "/requests/?q=zzzz&status=FAILED", "/requests/?after=9"),
    *("/requests/?type=none", "/workstations/", "/workstations/?type=none", "/workspaces/", "/unknown/", "/people/"),
    *("/failures/", "/failures/422/", "/accounts/", "/notices/", "/requests/1/", "/requests/2/", "/requests/3/"),
)


def read(browser, path: str) -> str:
    text = browser.get(path).text.replace("&#x27;", "'")
    return " ".join(re.sub(r"<[^>]*>", "\n", _INLINE.sub("", text.partition("<body")[2])).split())


@pytest.fixture
def released(alice, olga) -> models.Workstation:
    rows.create_request(alice, status="FAILED", failure="422")
    rows.create_request(alice, status="QUEUED")
    return rows.create_workstation(rows.create_request(alice), status="active", uid="machine")


@pytest.mark.parametrize("name", ["alice", "olga", "anna"])
def test_no_space_stands_before_a_full_stop_or_a_comma(sign_in, alice, olga, anna, root, released, name):
    browser = sign_in(models.User.objects.get(username=name))
    for path in PATHS:
        assert not re.findall(r".{30}\w [.,;:](?=\s|$)", read(browser, path)), path


def test_its_requester_reads_who_released_it_and_why_in_a_sentence_of_its_own(sign_in, alice, olga, released):
    sign_in(olga).post("/workstations/machine/release/", {"reason": "Idle since this morning"})
    models.Workstation.objects.update(ended_at=Now())
    page = read(sign_in(alice), f"/requests/{released.request_id}/")
    assert "Workstation released by olga" in page
    assert "Its files stay in the workspace. Reason: Idle since this morning" in page


@pytest.mark.django_db(transaction=True)
def test_who_sends_it_again_is_said_to_have_chosen_so(sandbox, sign_in, alice, anna):
    unknown = factories.send_until_settled(factories.submit(alice, workspace_uid="reset"))
    factories.ask_people(unknown)
    sign_in(alice).post(f"/requests/{unknown.pk}/not-created/")
    assert "alice chose to send it again" in read(sign_in(alice), f"/requests/{unknown.pk}/")
    event = models.Event.objects.get(verb="not-created")
    for path in ("/admin/portal/event/", f"/admin/portal/event/{event.pk}/change/"):
        assert f"alice chose to send {unknown.label} again" in read(sign_in(anna), path)


def test_to_auditors_what_has_ended_is_not_active(sign_in, anna, released):
    models.Workstation.objects.update(ended_at=Now())
    page = read(sign_in(anna), "/admin/portal/workstation/").partition("machine")[2]
    assert "active" not in page.partition("workspace")[0]
    assert "ended" in page
