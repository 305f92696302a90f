"""The list of workstations: its parts, its filters, and releasing several at once."""

import pytest
from django.utils import timezone

from portal import models
from portal.models.event import Verb
from tests.admin import rows

pytestmark = pytest.mark.django_db

LIST = "/workstations/"


def create(person, **values) -> models.Workstation:
    portal_request = rows.create_request(person, status="SUCCEEDED", ended_at=timezone.now())
    return rows.create_workstation(portal_request, workspace=rows.create_workspace(person), **values)


def list_shown(browser, query="") -> set[int]:
    return {row.pk for row in browser.get(f"{LIST}{query}").context["page"].rows}


def release(browser, *workstations, **values):
    return browser.post(LIST, {"workstation": [row.pk for row in workstations], **values})


def is_releasing(*workstations) -> list[bool]:
    for row in workstations:
        row.refresh_from_db()
    return [row.release_requested_at is not None for row in workstations]


@pytest.mark.parametrize("person", ["alice", "olga"])
def test_what_runs_is_shown_first_and_the_rest_under_its_own_tab(request, sign_in, alice, person):
    running, ended = create(alice), create(alice, ended_at=timezone.now(), status="completed")
    browser = sign_in(request.getfixturevalue(person))
    assert list_shown(browser) == {running.pk}
    assert list_shown(browser, "?show=ended") == {ended.pk}
    assert list_shown(browser, "?show=all") == {running.pk, ended.pk}
    assert list_shown(browser, "?show=nonsense") == {running.pk}


@pytest.mark.parametrize("show", ["running", "all"])
def test_it_is_narrowed_by_type_and_person(sign_in, alice, bob, olga, show):
    hers, his = create(alice, type="max"), create(bob)
    browser = sign_in(olga)
    assert list_shown(browser, f"?show={show}&type=max") == {hers.pk}
    assert list_shown(browser, f"?show={show}&person=BOB") == {his.pk}
    assert list_shown(browser, f"?show={show}&person=bob&type=max") == set()
    assert b"Did you mean" in browser.get(f"{LIST}?person=alyce").content


@pytest.mark.parametrize("query", ["", "?show=ended", "?show=all", "?show=all&person=bob"])
def test_a_member_sees_their_own_alone(sign_in, alice, bob, query):
    theirs = {create(bob).pk, create(bob, ended_at=timezone.now(), status="completed").pk}
    assert not list_shown(sign_in(alice), query) & theirs


def test_the_next_page_keeps_the_filters(sign_in, alice, olga):
    for _ in range(51):
        create(alice, type="max")
    page = sign_in(olga).get(f"{LIST}?show=all&type=max").context["page"]
    assert page.older.startswith("?show=all&type=max&before=")
    assert page.newest == "?show=all&type=max"


def test_several_are_released_after_one_question(sign_in, alice):
    one, two, kept = create(alice), create(alice), create(alice)
    browser = sign_in(alice)
    asked = release(browser, one, two)
    assert "Release 2 workstations?" in asked.content.decode()
    assert is_releasing(one, two) == [False, False]

    assert release(browser, one, two, confirmed="yes").status_code == 302

    assert is_releasing(one, two, kept) == [True, True, False]
    assert models.Event.objects.filter(verb=Verb.REQUEST_RELEASE, actor_name="alice").count() == 2


def test_an_operator_says_why_where_one_is_somebody_elses(sign_in, alice, olga):
    hers = create(alice)
    browser = sign_in(olga)
    refused = release(browser, hers, confirmed="yes", reason="")
    assert refused.context["form"].errors["reason"]
    assert is_releasing(hers) == [False]

    release(browser, hers, confirmed="yes", reason="The project is over.")

    assert is_releasing(hers) == [True]
    assert models.Event.objects.get(verb=Verb.REQUEST_RELEASE).reason == "The project is over."


def test_what_may_not_be_released_is_left_alone(sign_in, alice, bob, anna):
    his, ended = create(bob), create(alice, ended_at=timezone.now(), status="completed")
    for person in (alice, anna):
        assert release(sign_in(person), his, ended, confirmed="yes", reason="x").status_code == 302
    assert is_releasing(his, ended) == [False, False]


def test_the_part_that_is_shown_is_marked(sign_in, alice):
    page = " ".join(sign_in(alice).get(f"{LIST}?show=ended").content.decode().split())
    assert '<a href="?show=ended" aria-current="page" >Ended</a>' in page
    assert page.count('aria-current="page"') == 1


def test_a_filter_that_cannot_be_read_leaves_the_part_that_is_shown(sign_in, olga):
    form = sign_in(olga).get(f"{LIST}?show=ended&person=nobody").context["form"]
    assert (form.shown, list(form.errors)) == ("ended", ["person"])


@pytest.mark.parametrize("ticked", ["", "\x00", "-1", "x" * 300, "9" * 300, "٣"])
def test_what_no_box_has_releases_nothing(sign_in, alice, ticked):
    running = create(alice)
    assert sign_in(alice).post(LIST, {"workstation": [ticked], "confirmed": "yes"}).status_code == 302
    assert is_releasing(running) == [False]
