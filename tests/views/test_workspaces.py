"""Workspaces have names, which their owners give them, and are chosen by them."""

import re

import pytest

from portal import models
from portal.models.event import Verb
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def space(alice) -> models.Workspace:
    workstation = rows.create_workstation(rows.create_request(alice), workspace=rows.create_workspace(alice))
    return factories.get_workspace(workstation)


def name(browser, space, words):
    return browser.post(f"/workspaces/{space.uid}/name/", {"name": words})


def list_shown(browser, query="") -> set[int]:
    return {row.pk for row in browser.get(f"/workspaces/{query}").context["page"].rows}


def list_places(browser, query="") -> dict[str, bool]:
    """The values of the radio buttons, and whether each is chosen."""
    page = browser.get(f"/requests/new/{query}").text
    found = re.findall(r'<input\s+type="radio"\s+name="place"\s+value="([^"]*)"([^>]*)>', page)
    return {value: "checked" in attributes for value, attributes in found}


def test_an_owner_names_a_workspace_and_finds_it_by_that(sign_in, alice, space):
    browser = sign_in(alice)
    too_long = name(browser, space, "x" * 61)
    assert (too_long.status_code, "x" * 61 in too_long.text) == (200, True)
    for _ in range(2):  # the same again is no event
        assert name(browser, space, "Quarterly report").status_code == 302
    for path in ("/workspaces/", f"/workspaces/{space.uid}/", "/", "/requests/new/"):
        assert "Quarterly report" in browser.get(path).text, path
    event = factories.find_event(Verb.NAME_WORKSPACE)
    assert event.actor_name == "alice"
    assert "Quarterly report" not in f"{event.detail}{list(event.changes.values())}"


def test_an_operator_gives_a_workspace_that_nobody_may_have_to_one_who_uses_it(sign_in, alice, bob, olga, space):
    address, words = f"/workspaces/{space.uid}/", "to nobody until an operator gives it one owner"
    assert "owner/" not in sign_in(olga).get(address).text
    models.Workspace.objects.update(owner=None, is_contested=True)
    assert words in sign_in(alice).get(f"/workstations/{space.workstations.get().uid}/").text
    browser = sign_in(olga)
    assert f'action="{address}owner/"' in browser.get(address).text
    for owner, reason in ((bob, "He asked."), (alice, "")):
        assert browser.post(f"{address}owner/", {"owner": owner.pk, "reason": reason}).status_code == 200
    assert browser.post(f"{address}owner/", {"owner": alice.pk, "reason": "She was first."}).status_code == 302
    space.refresh_from_db()
    assert space.owner == alice
    assert browser.post(f"{address}owner/", {"owner": alice.pk, "reason": "Again."}).status_code == 404


def test_a_name_is_not_told_to_who_may_not_see_the_workspace(sign_in, alice, bob, space):
    name(sign_in(alice), space, "Secret plan")
    rows.create_workstation(rows.create_request(bob), workspace=space, uid="visitor")
    browser = sign_in(bob)
    page = browser.get("/workstations/visitor/").text
    assert space.uid in page
    assert "Secret plan" not in page + browser.get("/").text


def test_the_form_offers_a_new_workspace_and_ones_own_whose_id_can_be_asked_for(sign_in, alice, bob, space):
    rows.create_workspace(bob, uid="x" * 65)
    assert list_places(sign_in(alice)) == {"+new": True, space.uid: False, "+other": False}
    assert list_places(sign_in(bob)) == {"+new": True, "+other": False}
    assert list_places(sign_in(alice), f"?workspace_id={space.uid}")[space.uid]
    assert list_places(sign_in(bob), f"?workspace_id={space.uid}")["+other"]


@pytest.mark.parametrize(
    ("place", "typed", "asked"),
    [("+new", "left-over", ""), ("+other", "typed", "typed"), ("own", "left-over", "own"), (None, "typed", "typed")],
)
def test_the_choice_says_which_workspace_is_asked_for(sign_in, alice, space, place, typed, asked):
    values = factories.fill_form(workspace_id=typed)
    if place is not None:
        values["place"] = space.uid if place == "own" else place
    assert sign_in(alice).post("/requests/new/", values).status_code == 302
    assert models.Request.objects.latest("pk").workspace_uid == (space.uid if asked == "own" else asked)


@pytest.mark.parametrize("field", ["place", "workspace_id"])
def test_another_persons_workspace_is_not_found(sign_in, bob, space, field):
    response = sign_in(bob).post("/requests/new/", factories.fill_form(**{field: space.uid}))
    assert "You cannot use this workspace" in str(response.context["form"].errors[field])
    assert not models.Request.objects.filter(requester=bob).exists()


def test_what_is_no_choice_is_refused_and_one_of_an_id_without_it(sign_in, alice):
    for place in ("x" * 65, "a b", "+else", "\x00", "<b>", "+other"):
        response = sign_in(alice).post("/requests/new/", factories.fill_form(place=place))
        assert response.status_code == 200
        assert response.context["form"].errors["workspace_id" if place == "+other" else "place"]
    assert not models.Request.objects.filter(requester=alice).exists()


@pytest.fixture
def unused(alice) -> set[int]:
    """Workspaces of hers: of one the workstation has ended, with the other none ever ran."""
    ended, never = rows.create_workspace(alice), rows.create_workspace(alice)
    rows.create_workstation(rows.create_request(alice), workspace=ended, ended_at=rows.NOW, status="completed")
    return {ended.pk, never.pk}


@pytest.mark.parametrize("person", ["alice", "olga"])
def test_those_in_use_and_the_others_have_tabs_of_their_own(request, sign_in, alice, bob, space, unused, person):
    rows.create_workstation(rows.create_request(alice))  # without a workspace it hides none
    rows.create_workstation(rows.create_request(alice), workspace=space, ended_at=rows.NOW, status="completed")
    browser, his = sign_in(request.getfixturevalue(person)), sign_in(bob)
    shown = {"": {space.pk, *unused}, "?show=in-use": {space.pk}, "?show=unused": unused}
    for query, found in [*shown.items(), ("?show=all", shown[""]), ("?show=nonsense", shown[""])]:
        assert list_shown(browser, query) == found, query
        assert not list_shown(his, query), query
