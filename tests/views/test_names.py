"""People are shown by name and username, to whoever may see that they are there."""

import pytest

from portal import models
from tests import factories
from tests.admin import rows
from tests.browser import read

pytestmark = pytest.mark.django_db
ALICE = "Alice Liddell (alice)"


@pytest.fixture
def alice():
    return factories.create_user("alice", "Members", first_name="Alice Liddell", email="alice@wonderland.example")


@pytest.fixture
def workstation(alice) -> models.Workstation:
    portal_request = factories.submit(alice)
    space = rows.create_workspace(alice, account=portal_request.account)
    return rows.create_workstation(portal_request, account=portal_request.account, workspace=space)


def test_everywhere_by_name_and_username(workstation, alice, olga, root, sign_in):
    number, uid = workstation.request_id, workstation.uid
    paths = ["/requests/", "/workstations/", "/workspaces/", f"/workspaces/{workstation.workspace.uid}/", "/usage/"]
    paths += [f"/requests/{number}/", f"/workstations/{uid}/"]
    for person, shown in ((olga, paths), (root, ["/people/", f"/people/{alice.pk}/"]), (alice, ["/accounts/"])):
        browser = sign_in(person)
        for path in shown:
            page = read(browser.get(path))
            assert ALICE in page, path
            assert "wonderland" not in page or person != olga


def test_people_are_found_by_username_name_and_e_mail(workstation, root, alice, bob, olga, sign_in):
    browser = sign_in(root)
    for text in ("ALI", "liddell", "wonderland"):
        assert list(browser.get("/people/", {"name": text}).context["page"].rows) == [alice]
    factories.submit(bob)
    found = sign_in(olga).get("/requests/", {"person": "alice lid"}).context["page"].requests
    assert [row.pk for row in found] == [workstation.request_id]
