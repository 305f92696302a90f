"""People are shown by name and username, to whoever may see that they are there."""

import re

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


def test_the_audit_log_has_the_username_alone_and_so_has_who_has_no_other_name(workstation):
    assert [models.User(username="alice", first_name=name).label for name in ("", "alice")] == ["alice"] * 2
    assert {event.actor_name for event in models.Event.objects.exclude(actor_name="")} == {"alice"}
    assert "Liddell" not in str(list(models.Event.objects.values()) + list(models.Change.objects.values()))


def suggest(browser, workstation: models.Workstation) -> list[tuple[str, str]]:
    page = read(browser.get(f"/workstations/{workstation.uid}/"))
    offered = page.partition('<datalist id="people">')[2].partition("</datalist>")[0]
    return re.findall(r'<option value="([^"]*)">([^<]*)<', offered)


def test_sharing_suggests_those_for_whom_it_is_of_use(workstation, alice, bob, anna, olga, root, sign_in):
    factories.create_user("gone", "Members", is_active=False)
    factories.create_user("caterpillar", "Members", first_name="Absolem", email="absolem@wonderland.example")
    browser = sign_in(alice)
    page = read(browser.get(f"/workstations/{workstation.uid}/"))
    assert 'list="people"' in page
    assert "wonderland" not in page
    names = [("caterpillar", "Absolem (caterpillar)"), ("anna", "anna"), ("bob", "bob")]
    assert suggest(browser, workstation) == names
    assert suggest(sign_in(olga), workstation) == [], "it is somebody else's"


def test_among_many_those_of_former_shares_come_first(workstation, alice, bob, sign_in):
    models.User.objects.bulk_create(models.User(username=f"a{number:03}") for number in range(300))
    browser = sign_in(alice)
    assert len(suggest(browser, workstation)) == 200
    assert ("bob", "bob") not in suggest(browser, workstation)
    browser.post(f"/workstations/{workstation.uid}/shares/", {"person": "bob", "level": "look"})
    assert ("bob", "bob") in suggest(browser, workstation)


def test_a_name_that_one_person_has_is_enough_to_share(workstation, alice, bob, sign_in):
    factories.update(bob, first_name="Bill the Lizard")
    browser, path = sign_in(alice), f"/workstations/{workstation.uid}/shares/"
    shown = read(browser.post(path, {"person": "bill the lizard", "level": "look"}, follow=True))
    assert "Shared with Bill the Lizard (bob)." in shown
    browser.post(f"/shares/{models.Share.objects.get().pk}/end/")
    factories.create_user("another", "Members", first_name="Bill the Lizard")
    shown = read(browser.post(path, {"person": "Bill the Lizard", "level": "look"}, follow=True))
    assert "There is nobody called Bill the Lizard" in shown
