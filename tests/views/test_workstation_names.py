"""What stands beside a workstation's type: its request's note, or its workspace's name, for who may see these."""

import html

import pytest

from portal import models
from tests.admin import rows

pytestmark = pytest.mark.django_db

LISTS = ("/", "/workstations/", "/workstations/station/", "/workstations/station/desktop/", "/workspaces/space/")


@pytest.fixture
def make(alice, bob):
    def make(*, note: str, name: str) -> models.Workstation:
        space = rows.create_workspace(alice, uid="space", name=name)
        portal_request = rows.create_request(alice, note=note)
        workstation = rows.create_workstation(portal_request, workspace=space, uid="station")
        models.Share.objects.create(workstation=workstation, person=bob, level="look")
        return workstation

    return make


def read(browser, path: str) -> str:
    return " ".join(html.unescape(browser.get(path).content.decode()).split())


@pytest.mark.parametrize(
    ("note", "name", "words"),
    [
        ("weekly\nreport", "atlas", 'Python "weekly report"'),
        ("", "atlas", 'Python "atlas"'),
        ("x" * 80, "", f'Python "{"x" * 59}…"'),
        ("", "", "Python"),
    ],
)
def test_the_owner_and_who_sees_everything_read_it_wherever_it_is_listed(make, sign_in, alice, olga, note, name, words):
    workstation = make(note=note, name=name)
    for person, paths in ((alice, LISTS), (olga, LISTS[1:3])):
        browser = sign_in(person)
        for path in paths:
            page = read(browser, path)
            assert words in page, path
            assert ('Python "' in page) == bool(note or name), path
        asked = browser.post("/workstations/", {"workstation": [workstation.pk]}).content.decode()
        assert words in " ".join(html.unescape(asked).split())


def test_a_guest_reads_neither_and_a_request_on_its_way_has_it_too(make, sign_in, alice, bob):
    make(note="for my zebra", name="zebras")
    rows.create_request(alice, note="the next", status="QUEUED")
    for path in ("/", "/workstations/station/desktop/"):
        page = read(sign_in(bob), path)
        assert "Python" in page
        assert "zebra" not in page
    assert 'Python "the next"' in read(sign_in(alice), "/")
