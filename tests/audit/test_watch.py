"""The portal checks its audit log by itself, in short rounds, and says what it finds."""

from datetime import timedelta

import pytest

from portal import models
from portal.services.audit import watch
from portal.services.reports import readiness
from tests import factories
from tests.audit.conftest import tamper
from tests.audit.watching import check, check_hour_later, check_one_step, list_found

pytestmark = pytest.mark.django_db


def test_a_log_that_is_as_it_was_written_has_no_findings(record):
    check()
    assert list_found() == []
    assert {str(done.what): bool(done.ended_at and not done.phase) for done in watch.list_checks()} == {
        "ALL": True,
        "NEW": True,
    }


def test_what_somebody_changed_is_found_in_the_night_and_told_once(record, monkeypatch, caplog):
    check()
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", record[1].request_number)
    check()
    assert list_found() == []  # it is not due yet
    for hours in (40, 80):
        check_hour_later(monkeypatch, hours)
        assert list_found() == [("row changed", f"request R-{record[1].request_number}")]
    assert models.Event.objects.filter(verb="finding").count() == 1
    assert "not as it was written" in caplog.text


def test_a_forged_event_is_found_within_the_hour(record, monkeypatch):
    check()
    models.Event.objects.create(pk=9_000_000_000_000_000_000, verb="cancel", target="x")
    check_hour_later(monkeypatch)
    assert list_found() == [("inserted", "event 9000000000000000000")]


def test_a_row_of_a_new_event_is_found_within_the_hour(record, alice, monkeypatch):
    check()
    portal_request = factories.submit(alice)
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", portal_request.pk)
    check_hour_later(monkeypatch)
    assert list_found() == [("row changed", f"request R-{portal_request.pk}")]


def test_a_round_goes_on_where_the_one_before_has_ended(record, monkeypatch):
    """Each round does one step; a worker that dies costs no more than the step that it was in."""
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", record[-1].pk)
    tamper("UPDATE portal_workspace SET owner_id = NULL")
    monkeypatch.setattr(watch, "ROUND", 0.0)
    monkeypatch.setattr(watch, "SEALS", 1)
    phases: list[str] = []
    for _ in range(60):
        check_one_step(monkeypatch)
        phases += models.LogCheck.objects.filter(what="ALL").values_list("phase", flat=True)
    assert phases[-1] == ""
    assert phases.count("events") >= models.Seal.objects.count()
    assert f"event {record[-1].pk}" in [what for _, what in list_found()]
    assert ("row changed", f"workspace {models.Workspace.objects.earliest('id').pk}") in list_found()


def test_watchers_and_people_are_told_until_an_operator_has_seen_it(record, alice, anna, olga, sign_in, monkeypatch):
    check()
    portal_request = factories.submit(alice)
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", portal_request.pk)
    check_hour_later(monkeypatch)
    assert any("not as the portal has written it" in words for words in readiness.find_warnings())
    assert f"Request R-{portal_request.pk}" in sign_in(anna).get("/admin/portal/finding/").content.decode()
    finding = models.Finding.objects.get()
    watch.acknowledge_finding(actor=olga, finding=finding, reason="A drill.")
    with pytest.raises(watch.NotOpen):
        watch.acknowledge_finding(actor=anna, finding=finding, reason="Another.")
    acknowledged = models.Event.objects.filter(verb="acknowledge-finding")
    assert list(acknowledged.values_list("actor_name", "reason")) == [("olga", "A drill.")]
    check_hour_later(monkeypatch, 40)
    assert watch.count_open() == 0


def test_a_check_that_does_not_come_to_its_end_is_a_warning(record, settings):
    settings.PORTAL_JOB_INTERVAL = 5
    began = record[0].at
    assert watch.find_warnings(now=began + timedelta(hours=2)) == []
    assert len(watch.find_warnings(now=began + timedelta(hours=49))) == 2  # nothing has ever been checked
    check()
    now = models.Event.objects.get(verb="checked").at
    assert watch.find_warnings(now=now + timedelta(hours=2)) == []
    (words,) = watch.find_warnings(now=now + timedelta(hours=4))
    assert words.startswith("What is new in the audit log has not been checked since 20")
    settings.PORTAL_JOB_INTERVAL = 500
    assert watch.find_warnings(now=now + timedelta(hours=47)) == []
    (words,) = watch.find_warnings(now=now + timedelta(hours=49))
    assert words.startswith("The audit log has not been checked as a whole since 20")
