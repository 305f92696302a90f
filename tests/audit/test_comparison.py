"""`verify_audit --against`: the log compared with what was sent of it."""

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command

from portal import models
from portal.services.audit import comparison, stream
from portal.services.audit.report import Report
from portal.services.key import accounts, database_moved
from tests import factories
from tests.audit.conftest import end_workstations, fail_to_verify, prune_all, tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(record, tmp_path) -> Path:
    write(tmp_path / "sent")
    return tmp_path / "sent"


def write(file: Path) -> None:
    assert database_moved.check_database()
    lines = stream.list_lines(after=0, most=1000)
    file.write_bytes(b"".join(line.text + b"\n" for line in lines))
    models.StreamPosition.objects.update_or_create(pk=1, defaults={"last_id": lines[-1].id, "place": ""})


def read(file: Path) -> list[str]:
    return file.read_text().splitlines()


def compare(file: Path) -> tuple[list[str], Report]:
    report = Report()
    comparison.compare_sent(path=file, report=report)
    assert {finding.kind for finding in report.findings} <= {"stream"}
    return [str(finding) for finding in report.findings], report


def rewrite(file: Path, number: int, **values: object) -> str:
    """The line of the event with that number, as if it had been sent with other values."""
    event = next(event for event in map(json.loads, read(file)) if event["id"] == str(number))
    return json.dumps(event | values)


def test_what_is_as_it_was_sent_is_no_finding(record, sent, seal, alice, capsys):
    factories.submit(alice)  # neither sealed nor sent
    call_command("verify_audit", against=sent)
    said = capsys.readouterr().out
    assert f"Compared with what was sent: {len(record)} events." in said
    assert "All is well" in said
    seal()
    assert compare(sent)[0] == []


def test_lines_of_syslog_may_come_in_any_order_and_twice(record, sent):
    lines = [f"<110>1 2026-11-30T10:00:00Z host workstation-portal - event - {line}" for line in read(sent)]
    lines += [*lines[:5], "<13>1 another program: {not ours}", lines[0][:90], '{"id": "1"}', "[]"]
    random.Random(0).shuffle(lines)
    sent.write_text("\n".join(lines))
    findings, report = compare(sent)
    assert (findings, report.sent) == ([], len(record))


def test_each_event_that_was_changed_or_removed_or_added_is_named(record, sent):
    moved, changed, removed, added = (record[place].pk for place in (1, 3, 5, 7))
    tamper("UPDATE portal_change SET row_id = row_id + 1 WHERE event_id = %s", moved)
    tamper("UPDATE portal_event SET reason = 'other' WHERE id = %s", changed)
    tamper("DELETE FROM portal_event WHERE id = %s", removed)
    sent.write_text("\n".join(line for line in read(sent) if json.loads(line)["id"] != str(added)))
    assert compare(sent)[0] == [
        f"Event {moved} is not as it was sent.",
        f"Event {changed} is not as it was sent.",
        f"Event {removed} was sent, and is not in the log.",
        f"Event {added} was not sent, though others before and after it were.",
    ]


def test_an_end_that_was_cut_off_with_its_seals_is_found(record, sent):
    last = record[-4].pk
    tamper("DELETE FROM portal_event WHERE id > %s", last)
    tamper("DELETE FROM portal_change WHERE event_id > %s", last)
    tamper("DELETE FROM portal_seal WHERE last_id > %s", last)
    assert compare(sent)[0] == [f"Event {event.pk} was sent, and is not in the log." for event in record[-3:]]
    assert fail_to_verify("was sent, and is not in the log", against=sent) == 1


def restore(since: models.Event, until: models.Event) -> None:
    ticks = {"lost_since_tick": 1, "restored_tick": 2}
    account = accounts.get_current_account()
    models.Restore.objects.create(account=account, lost_since=since.at, restored_at=until.at, **ticks)


def test_what_a_restore_lost_is_explained_and_nothing_else(record, sent):
    lost, changed, removed = record[5:8], record[6], record[9]
    restore(lost[0], lost[-1])
    tamper("DELETE FROM portal_event WHERE id IN (%s, %s, %s)", lost[0].pk, lost[-1].pk, removed.pk)
    tamper("UPDATE portal_event SET reason = 'other' WHERE id = %s", changed.pk)
    findings, report = compare(sent)
    assert report.lost == 2
    assert findings == [
        f"Event {changed.pk} is not as it was sent.",
        f"Event {removed.pk} was sent, and is not in the log.",
    ]


def test_a_number_that_was_given_again_after_a_restore_is_explained(record, sent):
    restore(record[0], record[4])
    earlier = stream.write_time(at=f"{record[4].at - timedelta(microseconds=1):%Y-%m-%d %H:%M:%S.%f}")
    with sent.open("a") as file:
        file.write(rewrite(sent, record[-1].pk, time=earlier, data={"id": record[-1].pk}))
    findings, report = compare(sent)
    assert (findings, report.lost) == ([], 1)


def test_what_is_not_sent_yet_after_a_restore_is_no_finding(record, sent):
    """PostgreSQL leaves numbers out: what was lost may not have had the number of what comes next."""
    restore(record[0], record[-1])
    lines = [line for line in read(sent) if json.loads(line)["id"] != str(record[-2].pk)]
    sent.write_text("\n".join(lines))
    models.StreamPosition.objects.update(last_id=record[-3].pk)
    assert compare(sent)[0] == []
    models.StreamPosition.objects.update(last_id=record[-2].pk)
    assert compare(sent)[0] == [f"Event {record[-2].pk} was not sent, though others before and after it were."]


def test_what_was_pruned_since_is_no_finding(record, sent, seal, much_later):
    end_workstations()
    seal()
    write(sent)
    much_later()
    prune_all()
    assert not models.Event.objects.filter(pk=record[5].pk).exists()
    assert compare(sent)[0] == []


def test_a_file_without_an_event_of_this_portal_says_nothing(record, sent):
    sent.write_text(rewrite(sent, record[0].pk, source="workstation-portal/another"))
    for file in (sent, sent.with_name("missing")):
        assert fail_to_verify("What was sent cannot be compared", against=file) == 2
