"""A member's home, and the overview on top of it for whoever sees everything."""

import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from django.utils.html import strip_tags

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts
from portal.services.lives import carrying_out, ends
from portal.services.mirrors import releases
from portal.views.overview import draw_hours
from tests import factories
from tests.admin import rows
from tests.browser import read

pytestmark = pytest.mark.django_db
OVERVIEW = "/overview/"


def fail(person, *, code="422", age=timedelta(0), workspace_uid="") -> models.Request:
    now = timezone.now() - age
    return rows.create_request(
        person, status="FAILED", failure=code, created_at=now, ended_at=now, workspace_uid=workspace_uid
    )


def read_section(browser, name: str = "urgent", *, path: str = "/") -> str:
    return read(browser.get(path)).partition(f'id="{name}"')[2].partition("</section>")[0]


def test_nothing_of_anybody_elses_is_there(sign_in, alice, bob):
    failed, waiting = fail(bob), factories.submit(bob)
    running = rows.create_workstation(rows.create_request(bob, status="SUCCEEDED", ended_at=timezone.now()))
    page = read(sign_in(alice).get("/"))
    for found in (failed.label, waiting.label, running.uid, 'id="overview"'):
        assert found not in page


def test_what_somebody_else_released_is_said_once_with_who_and_why(sign_in, alice, bob, olga):
    rows.create_workstation(alice_s := rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now()))
    releases.request_release(actor=olga, workstation=alice_s.workstation, reason="Idle since this morning.")
    rows.create_workstation(own := rows.create_request(alice, status="SUCCEEDED", ended_at=timezone.now()), uid="own")
    releases.request_release(actor=alice, workstation=own.workstation)
    browser = sign_in(alice)
    section = read_section(browser, "released")
    assert "<bdi>olga</bdi> released <bdi>Python</bdi>" in section
    assert re.search(rf"{alice_s.label}</a> .*just now</time>: <bdi>Idle since this morning.</bdi>", section)
    assert own.label not in section
    link = re.search(r'action="(/dismiss/[0-9]*/)"', section)
    assert link
    assert not read_section(sign_in(bob), "released")
    browser.post(link[1])
    assert not read_section(browser, "released")
    assert not read_section(sign_in(alice), "released")


def test_a_release_that_was_taken_back_is_none(sign_in, alice):
    account = accounts.get_current_account()
    rows.create_workstation(one := rows.create_request(alice, account=account), account=account)
    models.Workstation.objects.update(ends_at=Now(), end_set_at=Now(), end_warnings=2)
    lease, browser = factories.acquire_lease(name="ends"), sign_in(alice)
    lease.run(carrying_out.carry_out_ends, watched=factories.make_steady(lease))
    assert "The portal released" in read_section(browser, "released")
    ends.extend_life(actor=alice, workstation=one.workstation)
    assert not read_section(browser, "released")
    releases.request_release(actor=alice, workstation=one.workstation)
    assert not read_section(browser, "released")
    factories.end_workstations()
    assert "the portal" not in read(browser.get(f"/requests/{one.pk}/"))


# --- What runs, and what has ended ---


def list_forms(page: str) -> list[dict[str, str]]:
    """What the buttons that start one send, in their order."""
    forms = re.findall(r'<form method="post" action="/requests/new/">(.*?)</form>', page, re.DOTALL)
    return [dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', form)) for form in forms]


@pytest.mark.parametrize(
    ("note", "workspace", "name"), [("weekly", "atlas", "weekly"), ("", "atlas", "atlas"), ("", "", "Python")]
)
def test_one_is_called_by_its_note_its_workspace_or_its_type(sign_in, alice, note, workspace, name):
    space = rows.create_workspace(alice, uid="space", name=workspace)
    rows.create_workstation(rows.create_request(alice, note=note), workspace=space)
    assert f'<bdi class="clip">{name}</bdi>' in read(sign_in(alice).get("/"))


def test_what_has_ended_starts_again_with_one_press_in_its_workspace(sign_in, alice):
    space = rows.create_workspace(alice, uid="space", name="atlas")
    wish = {"type": "python", "note": "weekly", "lifetime": "8h"}
    first = rows.create_request(alice, status="SUCCEEDED", **wish)
    rows.create_workstation(first, workspace=space, ended_at=Now())
    browser = sign_in(alice)
    again = list_forms(browser.get("/?show=ended").text)[0]
    assert browser.post("/requests/new/", again, follow=True).status_code == 200
    newest = models.Request.objects.latest("pk")
    assert (newest.type, newest.note, newest.lifetime, newest.workspace_uid) == (*wish.values(), "space")
    rows.create_workstation(newest, workspace=space, uid="second")
    page = browser.get("/?show=ended").text
    assert "Start again" not in page
    assert 'href="/workstations/second/"' in page


@pytest.mark.parametrize("uid", ["a/b", "..", "ü ?#"])
def test_an_id_that_no_address_can_have_is_listed_without_links(sign_in, alice, bob, uid):
    space = rows.create_workspace(alice, uid="space")
    values = {"workspace": space, "ends_at": timezone.now() + timedelta(hours=1), "end_set_at": Now()}
    first = rows.create_request(alice, status="SUCCEEDED", note="odd")
    rows.create_workstation(first, workspace=space, ended_at=Now(), uid="ended")
    odd = rows.create_workstation(rows.create_request(alice, note="odd"), uid=uid, **values)
    models.Share.objects.create(workstation=odd, person=bob, level="look")
    browser = sign_in(alice)
    for person, path in ((browser, "/"), (browser, "/?show=ended"), (sign_in(bob), "/?show=shared")):
        assert person.get(path).status_code == 200


def test_the_first_day_has_three_tiles_and_each_is_another_request(sign_in, alice):
    browser = sign_in(alice)
    tiles = list_forms(browser.get("/").text)
    assert [tile["type"] for tile in tiles] == ["chromium", "python", "max"]
    for tile in (tiles[1], tiles[1], list_forms(browser.get("/").text)[0]):
        assert browser.post("/requests/new/", tile).status_code == 302
    assert models.Request.objects.count() == 2


# --- The overview ---


def read_title(browser) -> str:
    return " ".join(strip_tags(read(browser.get(OVERVIEW)).partition("<h1>")[2].partition("</h1>")[0]).split())


def test_the_title_of_the_overview_is_the_state_in_words(sign_in, olga):
    models.Worker.objects.create(name="one", seen_at=timezone.now() + timedelta(days=1))
    browser, account = sign_in(olga), accounts.get_current_account()
    assert read_title(browser) == "All is well"
    models.Workstation.objects.create(account=account, uid="nobodys", type="golang")
    assert read_title(browser) == "1 thing needs you"
    models.Key.objects.update(state="PAUSED", cause="402", paused_at=Now())
    assert read_title(browser) == "Requests are paused"
    models.Key.objects.update(state="ACTIVE", cause="", paused_at=None)
    models.Worker.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    assert read_title(browser) == "No worker is running"


def test_charts_have_the_hours_and_who_runs_what(sign_in, alice, anna):
    rows.create_workstation(rows.create_request(alice, status="SUCCEEDED", created_at=timezone.now()))
    fail(alice, age=timedelta(hours=3))
    fail(alice, age=timedelta(hours=30))
    response = sign_in(anna).get(OVERVIEW)
    shown = response.context["overview"]
    columns = shown["chart"].columns
    assert [dict(column.numbers) for column in columns if column.total] == [
        {"ok": 0, "bad": 1, "rest": 0},
        {"ok": 1, "bad": 0, "rest": 0},
    ]
    assert columns[-1].total == columns[-4].total == 1
    assert shown["people"] == [("alice", "/workstations/?person=alice", 1)]
    assert shown["types"] == [("Python", "/workstations/?type=python", 1)]
    assert "alice" in sign_in(anna).get(shown["people"][0][1]).text


@pytest.mark.parametrize("now", ["2026-03-08T20:30Z", "2026-11-01T20:30Z"])
def test_every_hour_has_a_column_on_the_days_on_which_clocks_change(now):
    moment = datetime.fromisoformat(now)
    with timezone.override("America/New_York"):
        recent = [(moment.replace(minute=0) - timedelta(hours=back), "SUCCEEDED", "", 1) for back in range(25)]
        columns = draw_hours(recent, now=moment).columns
    assert [column.total for column in columns] == [1] * 25
    assert columns[-1].label == f"Sun {(moment.hour - 4 if now < '2026-10' else moment.hour - 5):02}:00"


def test_what_needs_an_operator_comes_first_and_says_what_it_is(sign_in, alice, anna, olga):
    cause = factories.submit(alice)
    values = {"account": cause.account, "status": "UNKNOWN", "failure": "no-answer", "operator_note": "?"}
    asked = rows.create_request(alice, type="chromium", **values)
    audit.record(Verb.NEEDS_REVIEW, asked)
    models.Workstation.objects.create(account=cause.account, uid="nobodys", type="golang")
    keys = models.Key.objects.filter(account=cause.account)
    keys.update(state="PAUSED", cause="402", paused_at=Now(), operator_only=True)
    audit.record(Verb.PAUSE, keys.get(), detail={"cause": "402", "request": cause.pk})
    needed = read_section(sign_in(olga), "needed", path=OVERVIEW)
    words = " ".join(strip_tags(needed).split())
    assert f"Caused by {cause.label}." in words
    assert f"{asked.label} alice: was Chromium created?" in words
    assert "1 unassigned workstation" in needed
    assert 'action="/key/resume/"' in needed
    shown = read(sign_in(anna).get(OVERVIEW))
    assert [words in shown for words in ("need you", 'action="/key/resume/"', "Not sealed yet")] == [False, False, True]
    keys.update(cause="database-moved")
    assert 'action="/key/resume/"' not in read(sign_in(olga).get(OVERVIEW)), "it is a question"
