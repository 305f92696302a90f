"""Made-up history: the same from the same plan, whatever stops it, and only where nothing else is."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from portal import models
from portal.services.audit import protection, seals, verify
from tests import factories
from tests.bench.filling import fill

ROOT = Path(__file__).resolve().parent.parent.parent
PLAN = fill.Plan(requests=250, people=12, days=20, until="2026-11-20", seed=7, batch=100)
# Everything that is filled, but for what tells of the filling itself.
TABLES = (
    models.User, models.Request, models.Attempt, models.LateResponse, models.Event, models.Workstation,
    models.Workspace, models.File, models.Log, models.Scan, models.DailyCount, models.MonthlyCount, models.Change,
)  # fmt: skip
pytestmark = pytest.mark.django_db(transaction=True)


def fill_history(plan: fill.Plan = PLAN) -> None:
    fill.fill_history(plan=plan, report=lambda words: None)


def read_all() -> dict[str, list[dict[str, object]]]:
    """What is in the tables, but for passwords and keys, which are new each time."""
    return {
        model.__name__: [
            {name: value for name, value in row.items() if name not in ("password", "date_joined")}
            for row in model.objects.order_by("pk").values()
        ]
        for model in TABLES
    }


def empty() -> None:
    """As a new database: its counters of ids begin anew."""
    seals.forget_newest()
    with factories.unprotected(), connection.cursor() as cursor:
        others = (models.SearchEntry, models.EventNumber, models.Seal, models.Key, models.Credential, models.Account)
        tables = [model._meta.db_table for model in (*TABLES, *others, models.Lease)]
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(tables)}, portal_user_groups RESTART IDENTITY CASCADE")
            return
        cursor.execute("PRAGMA foreign_keys = OFF")
        for table in ("portal_user_groups", *tables):
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
        cursor.execute("PRAGMA foreign_keys = ON")


@pytest.fixture
def filled() -> None:
    empty()
    fill_history()


def test_it_is_the_same_from_the_same_plan_and_another_from_another_seed(filled):
    first = read_all()
    empty()
    fill_history()
    assert read_all() == first
    empty()
    fill_history(replace(PLAN, seed=8))
    assert read_all()["Request"] != first["Request"]


def test_after_a_kill_it_goes_on_to_the_same_end(slow_fingerprints, filled):
    whole = read_all()
    empty()
    connection.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.filling", *(f"--{name}={value}" for name, value in asdict(PLAN).items())],
        cwd=ROOT,
        env=make_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while "100 of 250 requests" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert 100 <= models.Request.objects.count() < 250
    fill_history()
    assert read_all() == whole


def make_environment() -> dict[str, str]:
    """That of another process which uses the database of the tests."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{values['NAME']}"
    else:
        who = f"{values['USER']}:{values['PASSWORD']}" if values["PASSWORD"] else values["USER"]
        url = f"postgres://{who}@{values['HOST']}:{values['PORT']}/{values['NAME']}"
    return {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}


@pytest.mark.parametrize("until", [PLAN.until, ""], ids=["same-day", "any-day"])
def test_what_is_filled_already_is_left_as_it_is(filled, until):
    before = read_all()
    fill_history(replace(PLAN, until=until))
    assert read_all() == before


def test_another_plan_is_refused(filled):
    with pytest.raises(fill.Refused, match="another plan"):
        fill_history(replace(PLAN, requests=300))


def test_a_database_with_a_person_of_its_own_is_refused(alice):
    with pytest.raises(fill.Refused, match="not empty"):
        fill_history()
    assert not models.Event.objects.exists()


def test_a_portal_with_a_real_provider_is_refused(settings):
    settings.USING_SANDBOX = False
    with pytest.raises(fill.Refused, match="with the sandbox"):
        fill_history()
    assert not models.User.objects.exists()


def test_every_kind_of_row_is_there_in_proportion(filled):
    requests = models.Request.objects.count()
    assert requests == PLAN.requests
    assert 2 * requests < models.Attempt.objects.count() < 4 * requests
    assert 7 * requests < models.Event.objects.count() < 13 * requests
    statuses = set(models.Request.objects.values_list("status", flat=True))
    assert statuses == {"SUCCEEDED", "FAILED", "CANCELLED", "UNKNOWN", "QUEUED"}
    assert all(model.objects.exists() for model in TABLES if model not in (models.LateResponse, models.MonthlyCount))
    assert models.Workstation.objects.live().exists()


def test_what_is_written_is_as_the_services_write_it(filled, alice):
    """The forms of events: the same verbs, targets and details as those of a request that went the ordinary way."""
    shapes = {
        event.verb: (event.target.split()[0], sorted(event.detail), event.actor_id is None)
        for event in models.Event.objects.exclude(verb="fill-history")
    }
    newest = models.Event.objects.latest("pk").pk
    models.Account.objects.update(baseline_scan="DONE")
    factories.submit(alice)
    factories.claim()
    for event in models.Event.objects.filter(pk__gt=newest):
        assert shapes[event.verb] == (event.target.split()[0], sorted(event.detail), event.actor_id is None)


def test_the_database_goes_on_counting_behind_it(filled, alice):
    assert factories.submit(alice).pk == PLAN.requests + 1


def test_the_record_is_as_protected_as_ever(filled):
    assert protection.find_faults() == []
    with pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute("DELETE FROM portal_attempt WHERE id = 1")


def test_its_pages_can_be_read(filled, sign_in):
    browser = sign_in(models.User.objects.get(username="auditor"))
    for path in ("/", "/requests/", "/usage/", "/requests/250/", "/workstations/", "/admin/portal/event/"):
        assert browser.get(path).status_code == 200, path
    assert "R-250" in browser.get("/requests/").content.decode()


def test_its_record_is_sealed_and_proves_to_be_unaltered(filled):
    report = verify.verify_log()
    assert report.events == models.Event.objects.count()
    assert report.findings == []


def test_its_events_tell_of_its_rows(filled):
    attempt = models.Attempt.objects.filter(failure="402").latest("id")
    with factories.unprotected():
        models.Attempt.objects.filter(pk=attempt.pk).update(message="another")
    found = [finding.what for finding in verify.verify_log().findings]
    with factories.unprotected():
        models.Attempt.objects.filter(pk=attempt.pk).update(message=attempt.message)
    assert found == [f"attempt {attempt.pk}"]


def test_every_request_is_found_and_so_is_the_next_one(filled, alice):
    assert models.SearchEntry.objects.count() == PLAN.requests
    new = factories.submit(alice, note="heliotrope")
    assert "heliotrope" in models.SearchEntry.objects.get(pk=new.pk).words
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'search_entry_by_words'")
            assert cursor.fetchone() == (1,)


def test_each_request_says_how_long_it_took_and_whether_it_was_unknown(filled):
    requests = list(models.Request.objects.prefetch_related("attempts"))
    for portal_request in requests:
        ended_at, outcomes = portal_request.ended_at, {attempt.outcome for attempt in portal_request.attempts.all()}
        assert portal_request.took == (ended_at and (ended_at - portal_request.created_at).total_seconds())
        assert portal_request.was_unknown == (portal_request.status == "UNKNOWN" or "UNKNOWN" in outcomes)
    assert {portal_request.was_unknown for portal_request in requests} == {True, False}
