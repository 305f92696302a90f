"""The list of workstations: its parts, its filters, releasing several at once, and what stands beside a type."""

import csv
import html
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from portal import models
from portal.models.event import Verb
from portal.services.search import finding, paging
from portal.views.workstations import WorkstationPage
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db

LIST = "/workstations/"


def create(person, note="", **values) -> models.Workstation:
    values = {"workspace": rows.create_workspace(person)} | values
    return rows.create_workstation(rows.create_request(person, note=note), **values)


def list_shown(browser, query="") -> set[int]:
    return {row.pk for row in browser.get(f"{LIST}{query}").context["page"].rows}


def release(browser, *workstations, **values):
    return browser.post(LIST, {"workstation": [row.pk for row in workstations], **values})


def is_releasing(*workstations) -> list[bool]:
    for row in workstations:
        row.refresh_from_db()
    return [row.release_requested_at is not None for row in workstations]


@pytest.mark.parametrize("person", ["alice", "olga"])
def test_what_runs_is_shown_first_and_the_rest_under_its_own_tab(request, sign_in, alice, bob, person):
    running, ended = create(alice), create(alice, ended_at=timezone.now(), status="completed")
    browser, his = sign_in(request.getfixturevalue(person)), sign_in(bob)
    both, runs = {running.pk, ended.pk}, {running.pk}
    for query, found in (("", runs), ("?show=ended", {ended.pk}), ("?show=all", both), ("?show=nonsense", runs)):
        assert list_shown(browser, query) == found
        assert not list_shown(his, f"{query}{'&' if query else '?'}person=alice"), "a member sees their own alone"


@pytest.mark.parametrize("show", ["running", "all"])
def test_it_is_narrowed_by_type_and_person(sign_in, alice, bob, olga, show):
    hers, his = create(alice, type="max"), create(bob)
    browser = sign_in(olga)
    assert list_shown(browser, f"?show={show}&type=max") == {hers.pk}
    assert list_shown(browser, f"?show={show}&person=BOB") == {his.pk}
    assert list_shown(browser, f"?show={show}&person=bob&type=max") == set()
    assert b"Did you mean" in browser.get(f"{LIST}?person=alyce").content


def test_several_are_released_after_one_question(sign_in, alice):
    one, two, kept = create(alice), create(alice), create(alice)
    browser = sign_in(alice)
    assert "Release 2 workstations?" in release(browser, one, two).text
    assert is_releasing(one, two) == [False, False]

    assert release(browser, one, two, confirmed="yes").status_code == 302

    assert is_releasing(one, two, kept) == [True, True, False]
    assert models.Event.objects.filter(verb=Verb.REQUEST_RELEASE, actor_name="alice").count() == 2


def test_an_operator_says_why_where_one_is_somebody_elses(sign_in, alice, olga):
    hers = create(alice)
    browser = sign_in(olga)
    assert release(browser, hers, confirmed="yes", reason="").context["form"].errors["reason"]
    assert is_releasing(hers) == [False]

    release(browser, hers, confirmed="yes", reason="The project is over.")

    assert is_releasing(hers) == [True]
    assert factories.find_event(Verb.REQUEST_RELEASE).reason == "The project is over."


def test_what_may_not_be_released_is_left_alone(sign_in, alice, bob, anna):
    his, ended = create(bob), create(alice, ended_at=timezone.now(), status="completed")
    for person in (alice, anna):
        assert release(sign_in(person), his, ended, confirmed="yes", reason="x").status_code == 302
    assert is_releasing(his, ended) == [False, False]


def test_what_no_box_has_releases_nothing(sign_in, alice):
    running = create(alice)
    for ticked in ("", "\x00", "-1", "x" * 300, "9" * 300, "٣"):
        assert sign_in(alice).post(LIST, {"workstation": [ticked], "confirmed": "yes"}).status_code == 302
    assert is_releasing(running) == [False]


NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
PERIOD = "since=2025-11-25T12:00&until=2025-11-25T14:00"


def create_run(
    person, begins: float, hours: float | None, *, seen: float | None = None, **values
) -> models.Workstation:
    """One that ran so long from so many hours after noon; None: still."""
    begun, first_seen = NOON + timedelta(hours=begins), NOON + timedelta(hours=begins if seen is None else seen)
    ended = {"ended_at": begun + timedelta(hours=hours), "status": "completed"} if hours is not None else {}
    return create(person, created_at=begun, first_seen_at=first_seen, **ended, **values)


def read_all(browser, query: str) -> list[models.Workstation]:
    found, before = [], ""
    while before is not None:
        context = browser.get(f"{LIST}?{query}&before={before}").context
        assert context["form"].shown == "all"
        found += context["page"].rows
        before = context["page"].older
    return found


def test_an_auditor_finds_what_ran_in_a_period(sign_in, alice, bob, anna, monkeypatch):
    monkeypatch.setattr(finding, "NEIGHBOURS", 5)
    lengths = (0, 0.1, 1, 24, 1_000, 20_000, None)
    runs = [(begins, hours) for begins in (-21_000, -23, -0.5, 0, 1.999) for hours in lengths]
    made = {create_run((alice, bob)[n % 2], *run).pk: run for n, run in enumerate(runs)}
    late = create_run(alice, 1.9, 9, seen=2.1)
    made |= {late.pk: (1.9, 9)} | {create_run(bob, *run, type="max").pk: run for run in ((2, 1), (2.5, None), (30, 1))}
    monkeypatch.setattr(paging, "PAGE_SIZE", 7)
    browser = sign_in(anna)

    def expect(since: float, until: float) -> list[int]:
        ran = [pk for pk, (b, hours) in made.items() if b < until and (hours is None or b + hours >= since)]
        return sorted(ran, reverse=True)

    assert [row.pk for row in read_all(browser, PERIOD)] == expect(0, 2)
    assert [row.pk for row in read_all(browser, "until=2025-11-25T14:00")] == expect(-1e6, 2)
    assert [row.pk for row in read_all(browser, "since=2025-11-25T12:00&show=running")] == expect(0, 1e6)
    of_bob = [row.pk for row in read_all(browser, PERIOD) if row.request and row.request.requester == bob]
    assert [row.pk for row in read_all(browser, f"{PERIOD}&person=bob")] == of_bob
    assert [row.pk for row in read_all(browser, "since=2025-11-25T12:00&type=max")] == expect(0, 1e6)[:3]


def test_a_period_is_of_the_reader_s_clock_and_nobody_s_who_sees_their_own_alone(sign_in, alice, anna):
    run = create_run(alice, 0, 0.5)
    factories.update(anna, time_zone="Asia/Kolkata")
    browser = sign_in(anna)
    assert list_shown(browser, "?since=2025-11-25T17:59&until=2025-11-25T18:01") == {run.pk}
    assert list_shown(browser, f"?{PERIOD}") == set()
    assert list_shown(sign_in(alice), f"?show=ended&{PERIOD.replace('25T', '26T')}") == {run.pk}


def test_it_is_taken_away_as_a_file(sign_in, alice, bob, anna):
    space = rows.create_workspace(alice)
    released = {"release_requested_at": NOON, "release_requested_by": bob}
    run = create_run(alice, -2.8, 2.5, note="=1+1", workspace=space, **released)
    create_run(bob, 3, 1)  # later
    factories.update(anna, time_zone="Asia/Kolkata")
    browser, query = sign_in(anna), "since=2025-11-25T14:00&until=2025-11-25T16:00"
    action = f'action="/workstations/export.csv?{query.replace(":", "%3A").replace("&", "&amp;")}"'
    assert action in browser.get(f"{LIST}?{query}").text
    response = browser.post(f"/workstations/export.csv?{query}")
    text = b"".join(response.streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert row == {
        "workstation": run.uid,
        "type": "python",
        "state": "completed",
        "person": "alice",
        "request": str(run.request_id),
        "note": "'=1+1",
        "workspace": space.uid,
        "started_at": "2025-11-25T09:12:00.000000+00:00",
        "ended_at": "2025-11-25T11:42:00.000000+00:00",
        "ran_seconds": "9000.0",
        "released_by": "bob",
        "started_local": "2025-11-25 14:42:00",
        "ended_local": "2025-11-25 17:12:00",
    }
    event = factories.find_event(Verb.EXPORT)
    assert (event.actor_name, event.target) == ("anna", "workstations")
    assert event.detail["filters"]["since"] == "2025-11-25T14:00"
    assert browser.post("/workstations/export.csv?since=soon").url == "/workstations/?since=soon"
    response = sign_in(alice).post(f"/workstations/export.csv?show=all&person=bob&{query}")
    assert b"".join(response.streaming_content).decode().count("alice,") == 1


# --- Beside a type: its request's note, or its workspace's name, for who may see these ---

LISTS = ("/workstations/", "/workstations/station/", "/workstations/station/desktop/", "/workspaces/space/")


@pytest.fixture
def make(alice, bob):
    def make(*, note: str, name: str) -> models.Workstation:
        space = rows.create_workspace(alice, uid="space", name=name)
        workstation = rows.create_workstation(rows.create_request(alice, note=note), workspace=space, uid="station")
        models.Share.objects.create(workstation=workstation, person=bob, level="look")
        return workstation

    return make


def read(browser, path: str) -> str:
    return " ".join(html.unescape(browser.get(path).text).split())


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
    for person, paths in ((alice, LISTS), (olga, LISTS[:2])):
        browser = sign_in(person)
        for path in paths:
            page = read(browser, path)
            assert words in page, path
            assert ('Python "' in page) == bool(note or name), path
        asked = browser.post("/workstations/", {"workstation": [workstation.pk]}).text
        assert words in " ".join(html.unescape(asked).split())


def test_a_guest_reads_neither_and_a_request_on_its_way_has_it_too(make, sign_in, alice, bob):
    make(note="for my zebra", name="zebras")
    rows.create_request(alice, note="the next", status="QUEUED")
    for path in ("/", "/workstations/station/desktop/"):
        page = read(sign_in(bob), path)
        assert "Python" in page
        assert "zebra" not in page
    assert ">the next</bdi>" in read(sign_in(alice), "/")


# --- The page of one ---


def test_who_may_end_one_is_offered_that_while_it_runs(alice, anna, bob, olga):
    row = rows.create_workstation(rows.create_request(alice))
    ways = {"release": "may_release", "form": "end_form", "share": "is_shared_here"}

    def read_offered(person: models.User) -> set[str]:
        page = WorkstationPage(person=person, workstation=row)
        return {name for name, way in ways.items() if getattr(page, way)}

    assert [read_offered(person) for person in (alice, olga)] == [{*ways}, {"release", "form"}]
    assert not any(map(read_offered, (anna, bob)))
    row.release_requested_at = row.release_due_at = rows.NOW
    assert read_offered(alice) == {"form"}
    row.account.retired_at = rows.NOW
    assert not read_offered(alice)
