"""What an auditor asks of the audit log: who, which request, which days, what happened; alone and together."""

import re
from datetime import UTC, datetime
from functools import partial
from html import unescape
from types import SimpleNamespace

import pytest

from portal import models
from portal.admin.base import sentences
from portal.models.event import Verb
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(browse):
    return partial(browse, "event")


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.fixture
def log(alice, bob, olga) -> SimpleNamespace:
    """Three days of March, in the order of the events."""
    return SimpleNamespace(
        monday=rows.create_event(olga, verb="resume", target="key key of https://x", at=at(9)).pk,
        submitted=rows.create_event(alice, request_number=373, target="request R-373", at=at(9, 20)).pk,
        early=rows.create_event(olga, verb="sign-in", target="user olga", at=at(10, 1)).pk,
        closed=rows.create_event(
            olga, verb="close", request_number=373, target="request R-373", reason="a test", at=at(10)
        ).pk,
        claimed=rows.create_event(
            None, verb="claim", request_number=373, target="attempt R-373, attempt 1", at=at(10, 22)
        ).pk,
        other=rows.create_event(bob, request_number=3730, target="request R-3730", at=at(11)).pk,
    )


# --- The two questions ---


def test_all_of_a_request(ask, log):
    expected = [log.claimed, log.closed, log.submitted]
    for text in ("R-373", "373", "r-373", " R-373 ", "\u200fR-373"):
        assert ask(request=text) == expected, text
    assert ask(request="R-373", o="0") == expected[::-1]
    assert ask(request="R-5") == ask(person="olga", actor="portal") == []
    assert ask(person="olga", request="R-373", since="2026-03-10", until="2026-03-10", verb="close") == [log.closed]
    assert ask(q="test", person="olga") == [log.closed]


def test_both_are_one_form_with_one_button_that_keeps_what_was_asked(browser, log):
    query = {"person": "olga", "request": "R-373", "since": "2026-03-10", "verb": "close", "actor": "person", "o": "0"}
    page = browser.get("/admin/portal/event/", query).text
    form = page.split('id="changelist-search"')[1].split("</form>")[0]
    for value in ('value="olga"', 'value="R-373"', 'value="2026-03-10"', '<option value="close" selected>'):
        assert value in form
    assert form.count('type="submit"') == 1
    assert re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form) == [("actor", "person"), ("o", "0")]
    assert 'href="?actor=person&amp;o=0&amp;person=olga' in page  # the presets keep it too


# --- Each field ---


def test_people_are_found_by_their_names_or_the_beginnings_of_these(ask, log, bob):
    factories.create_user("ola")
    factories.create_user("olgarda")
    of_olga = [log.closed, log.early, log.monday]
    for name, expected in (("olga", of_olga), ("OLGA", of_olga), ("ol", of_olga), ("ola", []), ("b", [log.other])):
        assert ask(person=name) == expected, name
    barbara = rows.create_event(factories.create_user("barbara"), at=at(8)).pk
    assert ask(person="b") == [barbara, log.other]
    assert ask(person="b", request="R-3730") == [log.other]
    factories.create_user("evelyn")
    former = rows.create_event(bob, actor_name="eve").pk
    assert ask(person="eve") == [former], "a former name is a name"


def test_days_are_those_of_the_persons_zone(anna, ask, log):
    assert ask(since="2026-03-10", until="2026-03-10") == [log.claimed, log.closed, log.early]
    factories.update(anna, time_zone="America/New_York")
    assert ask(since="2026-03-10", until="2026-03-10") == [log.claimed, log.closed]
    assert ask(until="2026-03-09") == [log.early, log.submitted, log.monday]
    factories.update(anna, time_zone="Europe/Berlin")
    for day in ("2026-03-29", "2026-10-25"):  # on which clocks change
        wanted = rows.create_event(anna, at=datetime.fromisoformat(f"{day}T12:00:00+00:00")).pk
        assert ask(since=day, until=day) == [wanted]


def test_a_whole_group_of_what_happened_is_chosen(ask, log):
    for more, expected in (
        ({}, [log.other, log.closed, log.submitted]),
        ({"person": "b"}, [log.other]),
        ({"request": "R-373"}, [log.closed, log.submitted]),
        ({"since": "2026-03-10", "until": "2026-03-10"}, [log.closed]),
        ({"q": "test"}, [log.closed]),
    ):
        assert ask(verb="requests", **more) == expected, more
    assert ask(verb="people") == [log.early]
    assert ask(verb="upkeep") == []


# --- Wrong values ---


WRONG: list[tuple[dict[str, str], str]] = [
    ({"person": "olgaa"}, "Nobody has this name. Did you mean olga?"),
    ({"person": "x" * 200}, "This has 200 characters. Shorten it to 150 or fewer."),
    ({"person": "z"}, "Too many names begin like this. Type more of the name."),
    ({"request": "R-"}, "Enter a request's number, such as R-1042 or 1042."),
    ({"request": "'; --"}, "Enter a request's number, such as R-1042 or 1042."),
    ({"since": "Tuesday"}, "This is not a date. Enter year, month and day, such as 2026-01-31."),
    ({"until": "9999-12-31"}, "Choose a day from 1970 to 2199."),
    ({"since": "2026-03-11", "until": "2026-03-10"}, "The end must not be before the beginning."),
    ({"verb": "dance"}, "This is not in the list. Choose one that is."),
    ({"verb": "dance", "person": "ol", "q": "test"}, "This is not in the list. Choose one that is."),
]


def test_what_cannot_be_read_is_said_beside_its_field_and_nothing_is_listed(browser, log, monkeypatch):
    monkeypatch.setattr("portal.forms.events.MOST_PEOPLE", 2)
    for name in ("zoe", "zac", "zora"):
        factories.create_user(name)
    for query, words in WRONG:
        response = browser.get("/admin/portal/event/", query)
        assert not list(response.context["cl"].result_list), query
        assert unescape(" ".join(re.findall(r'class="wrong"[^>]*>([^<]*)<', response.text))) == words


# --- Sentences ---


def test_every_verb_is_in_one_group_with_a_sentence():
    for verb in Verb:
        assert verb.group in sentences.GROUPS
        assert "{who}" in str(verb.label) or "{what}" in str(verb.label)
    choices = [code for _label, codes in sentences.list_choices()[1:] for code, _words in codes]
    assert sorted(choices) == sorted([*Verb.values, *sentences.GROUPS])
    assert len(choices) == len(set(choices))


def read(event: models.Event) -> str:
    return re.sub("<[^>]*>", "", unescape(sentences.describe_event(event)))


def test_an_event_reads_as_a_sentence_with_its_code(alice):
    for verb, detail, words in (
        (
            "response",
            {"outcome": "FAILED", "failure": "402"},
            "recorded the outcome of R-5: failed, 402: Payment required",
        ),
        ("probe", {"passed": False}, "probed the R-5: rejected"),
        ("reconcile", {"decision": "not created"}, "compared R-5 with AgentStation's lists: nothing was created"),
        ("adopt", {"workstation": "W1"}, "linked a workstation to R-5: W1"),
        ("brand-new", {}, ": brand-new, R-5"),
    ):
        event = rows.create_event(alice, verb=verb, target="request R-5", detail=detail, request_number=5)
        assert read(event).replace("alice ", "").replace("alice", "") == f"{words} {verb}"


def test_what_nobody_did_the_portal_did_or_a_command(alice):
    assert read(rows.create_event(None, verb="claim", target="attempt R-5, attempt 1")) == (
        "The portal began to send R-5, attempt 1 claim"
    )
    detail = {"command": "changepassword", "system_user": "ops"}
    shown = read(rows.create_event(None, verb="change-password", target="user alice", detail=detail))
    assert shown == "ops on the server changed the password of alice change-password"


def test_a_sentence_links_its_person_and_its_request_and_is_no_markup(alice):
    shown = sentences.describe_event(rows.create_event(alice, request_number=5, target=f"request R-5 {rows.NASTY}"))
    assert f'<a href="/admin/portal/user/{alice.pk}/change/">alice</a>' in shown
    assert '<a href="/admin/portal/request/5/change/">R-5</a>' in shown
    assert "<script>" not in shown
