"""Each row is compared with what its newest event says it was."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import uuid4

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.urls import reverse

from portal import models
from portal.accounts import forms
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import rowcheck, rows, verify
from portal.services.audit.report import Report
from portal.services.key import accounts
from portal.services.people import membership, people, policy, sessions
from portal.services.requests import submissions
from tests import factories
from tests.audit.conftest import find, respond, tamper
from tests.audit.damage import change_columns

pytestmark = pytest.mark.django_db


def insert_request(account: models.Account, person: models.User) -> models.Request:
    return models.Request.objects.create(account=account, requester=person, submission=uuid4(), type="max")


def test_rows_that_were_inserted_past_the_portal_are_found(record, alice):
    request = models.Request.objects.earliest("id")
    attempt = models.Attempt.objects.create(
        request=request, number=9, worker="x", deadline_at=Now(), ended_at=Now(), outcome="FAILED", failure="422"
    )
    late = models.LateResponse.objects.create(attempt=request.attempts.earliest("id"), outcome="SUCCEEDED")
    other = insert_request(request.account, alice)
    assert find() == [
        ("row inserted", f"request R-{other.pk}"),
        ("row inserted", f"attempt {attempt.pk}"),
        ("row inserted", f"late response {late.pk}"),
    ]


def test_an_event_that_was_written_past_the_portal_does_not_hide_a_change(record, seal, alice):
    """Whoever can write in the database can add an event, but without the key no signature."""
    request = models.Request.objects.latest("id")
    tamper("UPDATE portal_request SET status = 'CANCELLED', failure = '' WHERE id = %s", request.pk)
    last = models.Event.objects.latest("id")
    change = models.Change.objects.filter(kind="request", row_id=request.pk).latest("event_id")
    forged = models.Event.objects.create(
        pk=last.pk + 1, verb="close", target=str(request), request_number=request.pk, signature=last.signature
    )
    change.event_id, change.columns = forged.pk, {"status": ["FAILED", "CANCELLED"]}
    change.save(force_insert=True)
    other = insert_request(request.account, alice)
    models.Event.objects.create(pk=last.pk + 2, verb="submit", target=str(other), request_number=other.pk)
    seal()
    assert find() == [
        ("changed", f"event {forged.pk}"),
        ("changed", f"event {forged.pk + 1}"),
        ("row changed", f"request R-{request.pk}"),
        ("row changed", f"request R-{request.pk}"),
        ("row inserted", f"request R-{other.pk}"),
    ]


def test_the_finding_names_the_column_and_both_values_and_a_private_one_is_in_no_event(record):
    private, request = models.Request.objects.earliest("id"), models.Request.objects.latest("id")
    assert private.note == "for the demo"
    assert not [one for one in models.Change.objects.all() if "for the demo" in str(one.columns)]
    tamper("UPDATE portal_request SET note = 'another' WHERE id = %s", private.pk)
    tamper("UPDATE portal_request SET workspace_uid = 'another' WHERE id = %s", request.pk)
    hidden, shown = verify.verify_log(rows=True).findings
    submitted = models.Event.objects.get(request_number=request.pk, verb="submit")
    assert shown.words == f'has workspace_uid "another": event {submitted.pk} left "missing".'
    assert hidden.words.startswith("has note ")
    assert "another" not in hidden.words


def test_what_sql_changed_is_not_made_good_by_what_the_portal_does_next(record, alice):
    """The next event says what was there before it, which is not what the events before it have left."""
    stored = models.Workstation.objects.earliest("id")
    tamper("UPDATE portal_workstation SET release_requested_by_id = %s WHERE id = %s", None, stored.pk)
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", True, alice.pk)
    people.set_time_zone(person=alice, time_zone="Europe/Rome")
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", False, alice.pk)
    people.set_time_zone(person=models.User.objects.get(pk=alice.pk), time_zone="Europe/Paris")
    assert ("row changed", f"person {alice.pk}") in find()


# --- People, groups, keys ---


def change_by_form(browser, person: models.User, *, name: str = "", role: object = "administrator") -> None:
    form, values = ("details", {"name": name}) if name else ("role", {"role": role})
    assert browser.post(reverse(f"person_{form}", args=[person.pk]), values).status_code == 302


def test_what_people_do_raises_no_false_alarm_and_makes_nothing_good(alice, root, sign_in, client):
    browser = sign_in(root)
    change_by_form(browser, alice, name="Alice")
    change_by_form(browser, alice)
    people.set_time_zone(person=alice, time_zone="Europe/Rome")
    client.post(reverse("account_login"), {"username": "alice", "password": factories.PASSWORD})
    sessions.record_sign_out(person=alice)
    assert models.User.objects.get(pk=alice.pk).last_login
    assert find() == []
    tamper("UPDATE portal_user SET is_superuser = NOT is_superuser WHERE id = %s", alice.pk)
    sessions.record_sign_in(person=alice)
    assert find() == [("row changed", f"person {alice.pk}")]


def test_a_group_and_its_deletion(alice, root, sign_in):
    browser = sign_in(root)
    browser.post(reverse("admin:auth_group_add"), {"name": "Testers", "permissions": [1, 2]})
    group = Group.objects.get(name="Testers")
    change_by_form(browser, alice, role=group.pk)
    assert find() == []
    tamper("DELETE FROM auth_group_permissions WHERE permission_id = 2 AND group_id = %s", group.pk)
    assert find() == [("row changed", f"group {group.pk}")]
    group.permissions.add(2)
    assert find() == []

    browser.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})

    assert not Group.objects.filter(name="Testers").exists()
    lost = models.Event.objects.filter(verb="change-person").latest("id")
    assert lost.detail == {"before": {"groups": ["Testers"]}, "after": {"groups": []}}
    assert find() == []
    browser.post(reverse("admin:auth_group_add"), {"name": "Testers"})
    number = Group.objects.get(name="Testers").pk
    Group.objects.filter(pk=number).delete()
    assert find() == [("row removed", f"group {number}")]


def test_a_group_is_renamed_and_deleted_by_an_administrator_who_is_in_it(cast, root, sign_in):
    before = membership.describe(target=root)
    group = Group.objects.get(name="Members")
    root.groups.add(group)
    membership.record_change(actor=root, target=root, before=before)
    values = {"name": "Users", "permissions": [one.pk for one in group.permissions.all()], "post": "yes"}
    for act in ("change", "delete"):
        assert sign_in(root).post(f"/admin/auth/group/{group.pk}/{act}/", values).status_code == 302
        assert find() == []


def test_whoever_changes_their_own_password_signs_in_with_it(cast, alice, sign_in, client):
    new = "another long passphrase"
    typed = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert sign_in(alice).post("/accounts/password/", typed).status_code == 302
    assert find() == []
    assert client.post("/accounts/login/", {"username": "alice", "password": new}).status_code == 302


def test_a_password_that_signing_in_hashes_anew_is_an_event(alice, root, client):
    alice.password = make_password("a former password", salt="short")
    alice.save(update_fields=["password"])
    membership.record_set_up(person=alice)
    client.post(reverse("account_login"), {"username": "alice", "password": "a former password"})
    assert models.User.objects.get(pk=alice.pk).password.split("$")[-2] != "short"
    event = models.Event.objects.get(verb="change-password")
    assert (event.actor_name, event.detail) == ("alice", {"hashed_anew": True})
    assert ("row changed", f"person {alice.pk}") not in find()


def test_asking_for_the_password_does_not_store_it_hashed_anew(alice):
    """As Django would where its way of hashing has changed: no event would tell of that."""
    alice.password = make_password("a former password", salt="short")
    alice.save(update_fields=["password"])
    form = forms.PasswordForm(alice, {"old_password": "a former password"})
    assert "old_password" not in form.errors
    assert models.User.objects.get(pk=alice.pk).password.split("$")[-2] == "short"


# --- Each column of each kind ---


@pytest.fixture
def audited(record, alice, root) -> dict[str, list[int]]:
    """The audit log with rows of every kind (of tombstones: test_pruning.py), and which of them events tell of."""
    account, group = accounts.get_current_account(), Group.objects.create(name="Testers")
    person = models.User.objects.get(pk=alice.pk)
    person.first_name, person.last_name, person.email = "Alice", "Liddell", "alice@example.com"
    person.save()
    respond(factories.submit(alice), failure="401")
    attempt, station = models.Attempt.objects.latest("id"), models.Workstation.objects.latest("id")
    said = {"outcome": "FAILED", "failure": "422", "response": b"late", "message": "late"}
    late = models.LateResponse.objects.create(attempt=attempt, **said)
    others = [
        account,
        person,
        models.Database.objects.get(),
        policy.get_policy(),
        models.Key.objects.get(),
        models.Credential.objects.get(),
        *models.Workspace.objects.all(),
        models.Share.objects.create(workstation=station, person=root, level="look", until=Now()),
        models.Restore.objects.create(account=account, lost_since=Now(), lost_since_tick=1, restored_tick=2),
        models.LostResponse.objects.create(account=account, attempt_number=1, token="t", **said),
        models.Notice.objects.create(kind="workstation has a field color"),
        models.Token.objects.create(
            person=root, name="ci", scopes="read", ended_at=Now(), ended_by=root, ends_at=Now()
        ),
        models.WorkstationType.objects.create(account=account, name="default", withdrawn_at=Now()),
    ]
    with transaction.atomic():
        audit.record(Verb.SETTINGS, "all", by=root, rows=others)
        audit.record(Verb.LATE_RESPONSE, attempt, rows=[late])
        membership.record_addition(actor=root, target=group)
    assert find() == []
    found: dict[str, list[int]] = {}
    for name, row_id in models.Change.objects.values_list("kind", "row_id").distinct():
        found.setdefault(name, []).append(row_id)
    assert found.keys() == rows.KINDS.keys() - {"tombstone"}
    return found


def test_a_change_of_each_audited_column_is_found(audited):
    for name, ids in audited.items():
        kind = rows.KINDS[name]
        for column in change_columns(kind.model, ids[-1], kind.columns):
            report = Report()
            rowcheck.Comparison(kind=kind, report=report).compare(ids)
            found = [(finding.kind, finding.what) for finding in report.findings]
            assert found == [("row changed", rowcheck.name_row(kind=name, row_id=ids[-1]))], (name, column)
    assert find() == []


@pytest.mark.django_db(transaction=True)
def test_requests_that_go_on_while_rows_are_compared_raise_no_false_alarm(alice):
    """Writers end their requests between the reading of a row and of its changes."""
    factories.mark_baseline_scan()
    account = accounts.get_current_account()
    done = threading.Event()

    def write() -> None:
        with closing(connection):
            while not done.is_set():
                submissions.cancel_request(actor=alice, portal_request=factories.submit(alice))

    with ThreadPoolExecutor(max_workers=2) as threads:
        writers = [threads.submit(write) for _ in range(2)]
        try:
            while models.Request.objects.filter(account=account, status="CANCELLED").count() < 20:
                assert [one for one in find() if one[1] != f"person {alice.pk}"] == []
        finally:
            done.set()
    for writer in writers:
        writer.result()
