"""The database is the one that it was: not a copy, and not an older state of itself. Otherwise nothing is sent."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as present
from django.db import connection, transaction

from portal import models
from portal.db import places
from portal.db.connection import execute
from portal.services.audit import verify
from portal.services.connections import shares
from portal.services.key import accounts, circuit_breaker, database_moved, databases, key_lock
from portal.services.key.databases import MEMORY
from portal.services.lives import ends
from portal.services.mirrors import releases
from portal.services.people import policy
from portal.services.reconciliation import restore
from portal.services.requests import dispatch, running
from portal.services.runtime import clients
from tests import factories, pool
from tests.services.reconciling import statuses

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent
SQLITE = present.ON_SQLITE
on_sqlite = pytest.mark.skipif(not SQLITE, reason="of SQLite's file")
on_postgresql = pytest.mark.skipif(SQLITE, reason="of PostgreSQL")


@pytest.fixture(autouse=True)
def _a_real_key(settings) -> None:
    settings.USING_SANDBOX = False


@pytest.fixture
def waiting(sandbox, alice) -> models.Request:
    factories.submit_and_send(alice)
    return factories.submit(alice)


def claim() -> dispatch.Call | None:
    return factories.claim_next()


def list_changes() -> list[str]:
    return [event.detail["what"] for event in factories.list_events("database-changed").order_by("id")]


def assert_is_paused(*, for_: str) -> None:
    assert claim() is None
    key = models.Key.objects.get()
    assert (key.state, key.cause, key.operator_only) == ("PAUSED", models.DATABASE_MOVED, True)
    assert models.Database.objects.get().doubt == for_
    assert list_changes()[-1] == for_


# --- As always ---


@on_sqlite
def test_who_starts_beside_the_first_process_reads_no_empty_file(monkeypatch, tmp_path):
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "portal.sqlite3"))
    file, seen = tmp_path / "portal.sqlite3-identity", list[bytes]()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            with contextlib.suppress(FileNotFoundError):
                seen.append(file.read_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        tick = 0
        while tick < 300 or not seen:  # on a busy machine the thread may come late
            tick += 1
            places.write_file(values={"identity": "this", "ticks": {"1": tick}})
            places.remove_file()
    finally:
        stop.set()
        watching.join()
    assert seen
    assert b"" not in seen


def test_the_first_claim_makes_the_identity_and_later_ones_find_it_unchanged(sandbox, alice):
    for _ in range(3):
        factories.submit(alice)
        MEMORY.forget()
        factories.send_once()
    row = models.Database.objects.get()
    assert len(row.identity) == 32
    assert (row.doubt, list_changes()) == ("", [])
    assert len(sandbox.record()["posts"]) == 3


def test_a_worker_that_starts_and_has_nothing_to_send_looks_too(sandbox):
    assert database_moved.check_database()
    models.Database.objects.update(place="elsewhere")
    assert not database_moved.check_database()
    assert_is_paused(for_="place")


def test_it_is_looked_at_where_nobody_who_waits_may_ask(sandbox, alice):
    factories.submit(alice)
    assert claim() is not None
    factories.submit(alice)
    models.User.objects.update(is_active=False)
    models.Database.objects.update(place="elsewhere")

    assert_is_paused(for_="place")


# --- A copy ---

CLAIM_ALL = """
from tests import factories
print(len(factories.claim_requests(worker="copy", most=5)), "claimed")
"""


def run_on_copy(url: str) -> str:
    """A process of its own, started with the copy and the same key, claims what it can."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "AGENTSTATION_API_KEY": present.AGENTSTATION_API_KEY,
        "AGENTSTATION_BASE_URL": present.AGENTSTATION_BASE_URL,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "--verbosity=0", "-c", CLAIM_ALL]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def copy_database(folder: Path) -> Iterator[str]:
    """The URL of a copy: of SQLite's file with all that lies beside it, or by `createdb -T`."""
    name = connection.settings_dict["NAME"]
    connection.close()
    if SQLITE:
        for file in Path(name).parent.glob(f"{Path(name).name}*"):
            shutil.copy2(file, folder)
        yield f"sqlite:///{folder / Path(name).name}"
        return
    pool.close()
    values = connection.settings_dict
    server = f"postgres://{values['USER']}:{values['PASSWORD']}@{values['HOST']}:{values['PORT']}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as other:
        other.execute(f"DROP DATABASE IF EXISTS {name}_copy")
        other.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        yield f"{server}/{name}_copy"
        other.execute(f"DROP DATABASE {name}_copy")


@pytest.mark.parametrize("was_used", [True, False], ids=["used", "from before the first worker"])
def test_a_copy_that_starts_with_the_same_key_sends_nothing(sandbox, alice, tmp_path, slow_fingerprints, was_used):
    if was_used:
        factories.submit_and_send(alice)
    factories.submit_for(*[alice] * 5)
    with copy_database(tmp_path) as url:
        assert run_on_copy(url) == "0 claimed"
        if not was_used:
            MEMORY.forget()
        assert [claim() is not None for _ in range(5)] == [True] * 5, "the original goes on"


# --- It went back ---


@on_sqlite
@pytest.mark.parametrize("starts_anew", [True, False])
def test_a_backup_put_back_in_place_sends_nothing(sandbox, alice, tmp_path, starts_anew):
    """As `cp` puts it back: the file keeps its number."""
    file, backup = connection.settings_dict["NAME"], tmp_path / "backup.sqlite3"
    factories.submit_and_send(alice)
    factories.submit(alice)
    execute("VACUUM INTO %s", [str(backup)])
    factories.send_once()
    connection.close()
    for ending in ("-wal", "-shm"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    shutil.copyfile(backup, file)
    if starts_anew:
        MEMORY.forget()

    assert_is_paused(for_="tick")
    assert len(sandbox.record()["posts"]) == 2


@on_sqlite
def test_the_file_knows_of_the_last_claim_however_quiet_it_is_since(sandbox, alice):
    factories.submit(alice)
    factories.claim()
    key = models.Key.objects.get()
    assert places.read_file() == {"identity": models.Database.objects.get().identity, "ticks": {str(key.pk): key.tick}}


@on_sqlite
@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"identity": "another"}'])
def test_a_file_of_another_database_or_of_none_is_a_change(waiting, content):
    places.remove_file()
    if content is not None:
        Path(f"{connection.settings_dict['NAME']}-identity").write_bytes(content)
    MEMORY.forget()
    assert_is_paused(for_="no-file" if content is None else "identity")


ROW, HERE = (
    models.Database(identity="one", place="here", timeline=1, timeline_tick=7),
    places.Place(name="here", timeline=1),
)
PROMOTED = replace(HERE, timeline=2)


@pytest.mark.parametrize(
    ("place", "memory", "values", "found"),
    [
        (HERE, None, {}, ""),
        (replace(HERE, name="elsewhere"), None, {}, "place"),
        (HERE, None, {"lacks_file": True}, "no-file"),
        (PROMOTED, None, {}, "timeline"),
        (HERE, databases.Memory(identity="another"), {}, "identity"),
        (HERE, databases.Memory(identity="one", timeline=1), {"seen": 9}, ""),
        (HERE, databases.Memory(identity="one", timeline=1), {"seen": 10}, "tick"),
        (PROMOTED, databases.Memory(identity="one", timeline=1), {"seen": 9}, "promotion"),
        # Another worker, which had seen less, has taken the promotion as one that lost nothing.
        (HERE, databases.Memory(identity="one", timeline=0), {"seen": 7}, ""),
        (HERE, databases.Memory(identity="one", timeline=0), {"seen": 8}, "tick"),
    ],
)
def test_what_shows_a_change(place, memory, values, found):
    assert database_moved.find_change(row=ROW, place=place, tick=9, memory=memory, **values) == found


def test_a_claim_that_is_rolled_back_is_not_remembered(waiting):
    with transaction.atomic():
        factories.claim()
        transaction.set_rollback(True)
    assert claim() is not None
    assert list_changes() == []


def test_against_the_sandbox_a_change_is_an_event_and_no_pause(settings, sandbox, alice):
    settings.USING_SANDBOX = True
    factories.submit_and_send(alice)
    models.Database.objects.update(place="elsewhere")
    for _ in range(2):
        factories.submit(alice)
        assert factories.send_once().value is not None
    assert list_changes() == ["place"]


@pytest.mark.parametrize("is_promotion", [False, pytest.param(True, marks=on_postgresql)])
@pytest.mark.parametrize("decision", ["end", "share", "taken-back", "limit", "policy", "release"])
def test_a_loss_of_what_somebody_decided_is_noticed_though_nothing_was_sent(
    sandbox, alice, bob, olga, decision, is_promotion
):
    workstation = factories.create_workstation(alice, lifetime="2h")
    share = shares.share_workstation(owner=alice, workstation=workstation, name="bob", level=models.Share.Level.LOOK)
    assert database_moved.check_database()
    before = models.Key.objects.get().tick
    if decision == "end":
        ends.extend_life(actor=alice, workstation=workstation)
    elif decision == "share":
        shares.share_workstation(owner=alice, workstation=workstation, name="bob", level=models.Share.Level.WORK)
    elif decision == "taken-back":
        shares.end_share(share=share, by=alice)
    elif decision == "limit":
        running.set_limit(actor=olga, person=alice, limit=7, reason="")
    elif decision == "policy":
        policy.change_policy(actor=olga, running=7)
    else:
        releases.request_release(actor=alice, workstation=workstation)
    assert database_moved.check_database()

    models.Key.objects.update(tick=before)
    if is_promotion:
        models.Database.objects.update(timeline=0)
    assert not database_moved.check_database()
    assert_is_paused(for_="tick")


def test_an_older_database_releases_nothing(sandbox, alice):
    releases.request_release(actor=alice, workstation=factories.create_workstation(alice))
    assert database_moved.check_database()
    models.Key.objects.update(tick=0)

    assert factories.send_releases() == []
    assert_is_paused(for_="tick")


# --- PostgreSQL's timelines ---


@on_postgresql
def test_a_promotion_that_lost_nothing_is_an_event(waiting):
    models.Database.objects.update(timeline=0)  # as if written before a replica took over
    MEMORY.timeline = 0
    assert factories.send_once().value is not None
    assert list_changes() == ["promotion"]
    assert models.Database.objects.get().timeline > 0


@on_postgresql
def test_what_a_role_may_not_read_is_left_out(sandbox):
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        cursor.execute("CREATE ROLE h_plain")
        cursor.execute("GRANT SELECT ON portal_database TO h_plain")
        try:
            cursor.execute("SET ROLE h_plain")
            places.choose_sql.cache_clear()
            assert places.read_place().name.startswith(f"PostgreSQL , database {name} (")
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("REVOKE ALL ON portal_database FROM h_plain")
            cursor.execute("DROP ROLE h_plain")
            cursor.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
            places.choose_sql.cache_clear()


@on_postgresql
def test_commits_wait_for_the_disk_whatever_the_database_s_default(db):
    name = connection.settings_dict["NAME"]
    execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        connection.close()
        pool.close()
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            assert cursor.fetchone() == ("on",)
    finally:
        execute(f"ALTER DATABASE {name} RESET synchronous_commit")


# --- What SQLite needs ---


@on_sqlite
def test_without_wal_there_is_a_warning():
    assert places.find_warnings() == []
    execute("PRAGMA journal_mode = DELETE")
    assert "journal_mode is delete" in places.find_warnings()[0]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/portal/portal.sqlite3", ""),
        ("/srv/portal/shared/portal.sqlite3", "nfs4"),
        ("/srv/portal/shared disk/portal.sqlite3", "fuse.sshfs"),
        ("/srv/portal/shared/fast/portal.sqlite3", ""),
    ],
)
def test_a_database_on_a_network_disk_is_warned_of(tmp_path, path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda1 / ext4 rw 0 0\n"
        "nas:/export /srv/portal/shared nfs4 rw 0 0\n"
        "me@nas: /srv/portal/shared\\040disk fuse.sshfs rw 0 0\n"
        "/dev/vdb1 /srv/portal/shared/fast xfs rw 0 0\n"
    )
    warning = places.describe_disk(path=Path(path), mounts=mounts)
    assert (f"network disk ({kind})" in warning) if kind else (warning == "")


# --- An operator says what happened ---


@pytest.fixture
def doubted(waiting) -> models.Request:
    models.Database.objects.update(place="elsewhere")
    assert claim() is None
    return waiting


def confirm(olga: models.User, *, was_put_back: bool) -> int:
    return restore.confirm_database(actor=olga, account=accounts.get_current_account(), was_put_back=was_put_back)


def test_a_database_that_was_moved_goes_on_with_numbers_that_nobody_has(sandbox, doubted, alice, olga):
    assert factories.submit(alice).pk > doubted.pk + 1_000
    assert confirm(olga, was_put_back=False) == 0
    assert factories.send_until_settled(doubted).status == "SUCCEEDED"
    event = factories.find_event("confirm-database")
    assert (event.actor_name, event.detail) == ("olga", {"before": "place", "after": "moved"})
    with pytest.raises(circuit_breaker.PauseRefused):
        confirm(olga, was_put_back=True)
    assert list_changes() == ["place"]
    assert verify.verify_log(rows=True).findings == []


def test_a_database_that_was_put_back_is_restored(sandbox, doubted, olga):
    assert confirm(olga, was_put_back=True) == 1
    assert (statuses(doubted), doubted.attempts.get().worker) == (["UNKNOWN"], restore.WORKER)
    assert models.Restore.objects.count() == 1
    assert not models.Key.objects.get().is_paused
    assert verify.verify_log(rows=True).findings == []


def test_whatever_other_processes_remember_the_response_holds(sandbox, doubted, olga):
    """Another worker had seen a higher tick, before the database went back, and looks only after the response."""
    models.Key.objects.update(tick=2)
    MEMORY.ticks = {str(models.Key.objects.get().pk): 5_000}
    confirm(olga, was_put_back=False)
    assert claim() is not None
    assert list_changes() == ["place"]


def test_nothing_else_ends_the_pause(sandbox, doubted, olga):
    with pytest.raises(circuit_breaker.PauseRefused, match="moved or restored"):
        circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())
    models.Key.objects.update(state="ACTIVE", cause="", paused_at=None, operator_only=False)
    assert_is_paused(for_="place")


# --- A response to an attempt that is lost ---


@pytest.mark.parametrize("number", [None, 999_999], ids=["of another's attempt", "of none"])
def test_one_person_s_request_never_gets_another_s_workstation(sandbox, alice, number):
    factories.submit(alice)
    call = factories.claim()
    call = replace(call, token="lost", attempt_id=number or call.attempt_id)
    result = dispatch.Result(value=clients.make_client().request_workstation(type="python").value)
    for _ in range(2):
        factories.record(call, result)

    assert models.Request.objects.get().status == "SENDING"
    lost = models.LostResponse.objects.get()
    assert (lost.attempt_number, lost.token, lost.outcome) == (call.attempt_id, "lost", "SUCCEEDED")
    orphan = models.Workstation.objects.get()
    assert (orphan.uid, orphan.request, orphan.made_for) == (factories.get_named(result).uid, None, None)
    assert factories.list_events("lost-response").count() == 1
    assert_is_paused(for_="lost-attempt")


def test_an_owned_mirror_is_not_touched_by_a_lost_response(sandbox, alice, bob):
    owned = factories.create_workstation(bob)
    factories.submit(alice)
    call = replace(factories.claim(), token="lost")
    told = clients.make_client().retrieve_workstation(uid=owned.uid)
    factories.record(call, dispatch.Result(value=replace(told, type="max")))
    owned.refresh_from_db()
    assert owned.request is not None
    assert (owned.type, owned.request.requester) == ("python", bob)


# --- The last look before the first byte ---


def make_unknown(call: dispatch.Call) -> None:
    factories.make_overdue(call)
    lease = factories.acquire_lease(name="recover", seconds=60)
    assert factories.expire_overdue(lease=lease) == 1


def pause_for_database(call: dispatch.Call) -> None:
    with transaction.atomic():
        key = key_lock.lock_key(account=accounts.get_current_account())
        database_moved.doubt_database(key=key, what="place")


# The second: as if the machine had slept for all the time that the call had, and its own clocks with it.
@pytest.mark.parametrize("happen", [make_unknown, factories.make_overdue, pause_for_database])
def test_what_is_no_longer_ours_to_send_is_not_sent(sandbox, alice, happen):
    portal_request = factories.submit(alice)
    call = factories.claim()
    happen(call)
    assert factories.finish(call) == dispatch.Result()
    assert statuses(portal_request) == ["QUEUED"]
    assert sandbox.record()["posts"] == []


@pytest.mark.parametrize("margin", [None, 0.0], ids=["another's token", "no response of the database in time"])
def test_what_the_database_does_not_confirm_in_time_is_not_sent(settings, sandbox, alice, margin):
    factories.submit(alice)
    call = factories.claim()
    if margin is None:
        call = replace(call, token="lost")
    else:
        settings.PORTAL_SEND_MARGIN = margin
    assert factories.finish(call) == dispatch.Result()
    assert sandbox.record()["posts"] == []
