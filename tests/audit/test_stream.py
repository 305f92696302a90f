"""The audit log leaves the machine: all of it, in order, whatever the destination does meanwhile."""

import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from portal import models
from portal.db import clock
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import destinations, stream
from portal.services.key import database_moved
from portal.services.reconciliation import restore
from portal.services.reports import readiness
from portal.services.runtime import leases
from tests import factories
from tests.agentstation.server import answering, dripping, http, make_certificate
from tests.audit import receivers

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def log(seal) -> Callable[[int], list[int]]:
    def add(count: int) -> list[int]:
        while count:
            with transaction.atomic(), audit.collect_events():
                for _ in range(min(count, 500)):
                    audit.record(Verb.PROBE, "x")
            count -= min(count, 500)
        seal()
        return list(models.Event.objects.order_by("id").values_list("id", flat=True))

    return add


@pytest.fixture
def send(settings) -> Iterator[Callable[..., None]]:
    """A round of the job, in a worker that goes on from one round to the next."""
    streams: list[stream.Stream] = []

    def send(url: str = "", *, is_new: bool = False, lease: leases.Lease | None = None) -> None:
        if url or is_new:
            settings.PORTAL_AUDIT_STREAM = url or settings.PORTAL_AUDIT_STREAM
            streams.append(stream.Stream(destination=destinations.make_destination()))
        held = lease or factories.acquire_lease(name="stream")
        held.run(streams[-1].send_events, is_unchanged=database_moved.may_tell)

    yield send
    for one in streams:
        one._destination.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Path:
    """A certificate authority that is its own server."""
    return make_certificate(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve(authority, monkeypatch) -> Iterator[Callable[..., receivers.Https]]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with ExitStack() as stack:
        yield lambda *acts: stack.enter_context(closing(receivers.Https(authority, *acts)))


@pytest.fixture
def rsyslog(authority, monkeypatch, tmp_path) -> receivers.Rsyslog:
    if not receivers.HAS_RSYSLOG:
        pytest.skip("needs Debian's rsyslog and rsyslog-openssl")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    return receivers.Rsyslog(tmp_path, authority=authority)


def read_ids(text: str) -> list[int]:
    return [int(json.loads(line)["id"]) for line in text.splitlines()]


def find_position() -> int:
    return models.StreamPosition.objects.get().last_id


# --- Each kind of destination ---


def test_a_file_gets_each_sealed_event_once_as_a_cloud_event(log, send, alice, tmp_path, capfd):
    factories.submit(alice, note="for the demo")
    file, numbers = tmp_path / "log", log(10)
    with transaction.atomic():
        audit.record(Verb.PROBE, "not sealed yet")
    send(f"file://{file}")
    send()
    assert file.stat().st_mode & 0o777 == 0o600
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [int(event["id"]) for event in events] == numbers
    submitted = next(event for event in events if event["type"] == "workstation-portal.submit")
    assert submitted["specversion"] == "1.0"
    assert submitted["source"] == f"workstation-portal/{models.Database.objects.get().identity}"
    assert submitted["time"] == submitted["data"]["at"].replace(" ", "T") + "Z"
    assert submitted["data"]["signature"] == models.Event.objects.get(pk=submitted["id"]).signature
    assert submitted["data"]["changes"][0]["kind"] == "request"
    file.write_text('{"half a li')  # a line that was torn is ended before the next
    models.StreamPosition.objects.update(last_id=0)
    send()
    assert read_ids(file.read_text().partition("\n")[2]) == numbers
    models.StreamPosition.objects.update(last_id=0)
    send("stdout:")
    assert read_ids(capfd.readouterr().out) == numbers


def test_of_what_does_not_fit_the_digest_is_sent(log, send, tmp_path, capsys):
    with transaction.atomic():
        audit.record(Verb.PROBE, "x", detail={"words": "w" * 70_000}, reason="because")
    file, numbers = tmp_path / "log", log(1)
    send(f"file://{file}")
    *_, large, _ = map(json.loads, file.read_text().splitlines())
    assert max(map(len, file.read_bytes().splitlines())) < 64 * 1024
    assert set(large["data"]["detail"]) == {"sha256", "size"}
    assert large["data"]["reason"] == "because"
    call_command("verify_audit", against=file)
    assert f"Compared with what was sent: {len(numbers)} events." in capsys.readouterr().out


def test_an_https_address_gets_batches_with_the_token(log, send, serve, settings):
    settings.PORTAL_AUDIT_STREAM_TOKEN = "a-token"
    https, numbers = serve(), log(2000)
    send(f"{https.url}/events?from=portal")
    https.check_ids(numbers)
    assert https.sizes == [500, 500, 500, len(numbers) - 1500]
    assert https.heads[0].startswith(b"POST /events?from=portal HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer a-token" in https.heads[0]
    assert b"\r\nContent-Type: application/cloudevents-batch+json" in https.heads[0]
    assert find_position() == numbers[-1]


def test_rsyslog_gets_all_over_tls_though_it_is_killed_in_the_middle(log, send, rsyslog):
    numbers = log(600)
    with rsyslog.running():
        send(f"syslog+tls://127.0.0.1:{rsyslog.port}")
        rsyslog.check_ids(numbers)
    assert find_position() == 0, "what was sent in the last half minute is in doubt"
    numbers = log(10)
    send()
    with rsyslog.running():
        send()
        rsyslog.check_ids(numbers, count=600 + len(numbers))


def test_the_socket_of_rsyslog_gets_them_too(log, send, rsyslog, monkeypatch):
    monkeypatch.setattr(destinations.Syslog, "in_doubt", 0.0)
    numbers = log(600)
    with rsyslog.running():
        send(f"syslog+unix://{rsyslog.folder}/log")
        rsyslog.check_ids(numbers)
    assert find_position() == numbers[-1]
    more = log(3)
    with rsyslog.running():
        send()
        send()
        rsyslog.check_ids(more)


# --- Destinations that misbehave ---


REDIRECT = http(302, b"", "Location: /elsewhere")


@pytest.mark.parametrize("answer", [http(503), REDIRECT, b"", b"no HTTP\r\n\r\n"])
def test_what_is_not_taken_is_sent_again_in_its_place(log, send, serve, caplog, answer):
    https, numbers = serve("take", answering(answer), answering(answer)), log(700)
    send(https.url)
    assert find_position() == numbers[499]
    send()
    send()
    https.check_ids(numbers)
    assert https.sizes[:2] == [500, 125], "it may have been too much at once"
    assert all(head.startswith(b"POST / ") for head in https.heads)
    assert caplog.text.count("The audit log cannot be sent") == 1


def test_an_answer_that_drips_is_not_waited_for(log, send, serve, monkeypatch):
    monkeypatch.setattr(destinations, "_REST", 0.2)
    https, _ = serve(dripping(b"HTTP/1.1 204 No content\r\nX-Header: ", b"x")), log(3)
    send(https.url)
    assert find_position() == 0


def test_a_server_that_nobody_vouches_for_gets_nothing(log, send, serve, monkeypatch, caplog):
    https, _ = serve(), log(3)
    monkeypatch.delenv("SSL_CERT_FILE")
    send(https.url)
    assert https.events == []
    assert "certificate verify failed" in caplog.text


def test_a_destination_that_is_away_is_a_warning_after_five_minutes(log, send, tmp_path, sandbox, monkeypatch):
    read_clock, folder = clock.read_clock, tmp_path / "away"
    log(10)
    send(f"file://{folder}/log")
    assert find_warnings() == []
    monkeypatch.setattr(clock, "read_clock", lambda: read_clock() + timedelta(minutes=6))
    assert len(find_warnings()) == 1
    folder.mkdir()
    send()
    assert find_warnings() == []


def find_warnings() -> list[str]:
    return [words for words in readiness.find_warnings() if "has not been sent away since" in words]


def test_while_it_is_slow_nothing_else_waits(log, send, serve, alice, seal):
    https, numbers = serve("hold"), log(10)
    sending = threading.Thread(target=send_and_close, args=[send, https.url])
    sending.start()
    assert https.has_begun.wait(60)
    factories.submit(alice)
    factories.claim()
    assert seal() > 0
    https.may_go_on.set()
    sending.join()
    https.check_ids(list(models.Event.objects.order_by("id").values_list("id", flat=True)))
    assert https.sizes[0] == len(numbers)


def send_and_close(send: Callable[..., None], url: str) -> None:
    send(url)
    connection.close()


class Looking(destinations.File):
    """A file that notes what is held of the database while it is written."""

    held = False

    def send(self, lines: Sequence[destinations.Line]) -> None:
        self.held |= connection.in_atomic_block or (connection.vendor != "sqlite" and connection.connection is not None)
        super().send(lines)


def test_no_connection_to_the_database_is_held_while_something_is_sent(log, tmp_path):
    numbers, file = log(600), Looking(urlsplit(f"file://{tmp_path}/log"))
    lease = factories.acquire_lease(name="stream")
    lease.run(stream.Stream(destination=file).send_events, is_unchanged=database_moved.may_tell)
    assert find_position() == numbers[-1]
    assert not file.held


def test_the_memory_that_it_takes_does_not_grow_with_the_log(log, send, tmp_path):
    log(600)
    send(f"file://{tmp_path}/first")
    peaks = []
    for count in (500, 2000):
        log(count)
        tracemalloc.start()
        send()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


# --- Workers, and the database ---

SEND = """
from tests.audit.test_stream import factories, stream, destinations
lease = factories.acquire_lease(name="stream")
lease.run(stream.Stream(destination=destinations.make_destination()).send_events, is_unchanged=lambda: True)
"""


def test_after_a_worker_was_killed_in_the_middle_another_goes_on(log, send, serve):
    https, numbers = serve("take", "hold"), log(1500)
    assert database_moved.check_database()
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", SEND]
    own = {"PORTAL_AUDIT_STREAM": https.url, "DATABASE_URL": factories.name_database()}
    environment = os.environ | own | {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as worker:
        assert https.has_begun.wait(60)
        worker.kill()
    https.may_go_on.set()
    https.check_ids(numbers[:1000])
    assert find_position() == numbers[499]
    send(https.url)
    https.check_ids(numbers, count=len(numbers) + 500)


def test_a_worker_that_lost_its_job_moves_nothing_and_goes_on_from_where_another_has_come(log, send, tmp_path):
    log(3)
    lost = factories.acquire_lease(name="stream", holder="lost", seconds=-1)
    lease = factories.acquire_lease(name="stream")
    with pytest.raises(leases.LeaseLost):
        send(f"file://{tmp_path}/lost", lease=lost)
    assert find_position() == 0
    send(f"file://{tmp_path}/first", lease=lease)
    position = find_position()
    models.StreamPosition.objects.update(last_id=position - 1)
    send()
    assert read_ids((tmp_path / "first").read_text()).count(position) == 2


@pytest.mark.parametrize("with_sandbox", [True, False])
def test_a_copy_sends_nothing_before_somebody_has_said_what_it_is(log, send, settings, olga, tmp_path, with_sandbox):
    settings.USING_SANDBOX = with_sandbox
    file, numbers = tmp_path / "log", log(3)
    send(f"file://{file}")
    models.Database.objects.update(place="elsewhere")
    models.StreamPosition.objects.update(place="elsewhere")
    later = log(3)
    send()
    send(is_new=True)
    assert len(file.read_text().splitlines()) == len(numbers)
    if with_sandbox:
        restore.restore_requests()
    else:
        account = models.Account.objects.get()
        restore.confirm_database(actor=olga, account=account, was_put_back=False)
    send()
    assert read_ids(file.read_text())[: len(later)] == later
