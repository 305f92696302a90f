"""The team's channels: Apprise, in its own process, with real receivers, and which URLs are refused."""

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import apprise
import pytest
from apprise.manager_plugins import NotificationManager
from django.utils import timezone

from portal import environment, models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.notifications import channels, messages
from portal.worker import scheduler
from tests import factories, ports
from tests.agentstation.server import Connection, answering, dripping, http
from tests.notifications.conftest import send_to

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


def pause(olga: models.User, reason: str = "Audit today.") -> None:
    circuit_breaker.pause_key(actor=olga, account=accounts.get_current_account(), reason=reason)


def get_row(channel: str) -> models.Notification:
    return models.Notification.objects.get(channel=channels.make_fingerprint(url=channel))


def wait_for_end(connection: Connection) -> None:
    """Say nothing until the other end goes away."""
    connection.read_request()
    connection.read_to_end()


def test_a_channel_gets_what_concerns_the_team(tell, serve, olga):
    receiver = serve()
    pause(olga)
    tell()
    send_to(receiver.channel)
    send_to(receiver.channel)
    [taken] = receiver.taken
    assert taken["title"] == "Sending is paused: an operator paused sending"
    assert taken["message"] == "olga: Audit today.\n\nhttps://portal.example/key/"
    row = get_row(receiver.channel)
    assert (row.failure, row.send_due_at, row.person) == ("", None, None)
    assert row.sent_at is not None


def test_each_channel_gets_it_and_what_concerns_a_person_alone_goes_to_none(tell, serve, sandbox, alice, olga):
    first, second = serve(), serve()
    sandbox.script({"name": "fail-422"})
    factories.submit_and_send(alice)
    pause(olga)
    tell()
    for receiver in (first, second):
        send_to(receiver.channel)
        assert [taken["title"][:17] for taken in receiver.taken] == ["Sending is paused"]


def test_what_people_have_written_is_no_markup_there(tell, serve, olga):
    receiver = serve()
    pause(olga, reason="<script>alert(1)</script> @everyone <!channel>\nhttps://evil.example")
    tell()
    send_to(receiver.channel)
    [text] = [taken["message"] for taken in receiver.taken]
    assert "<" not in text
    assert "@everyone" not in text
    assert "‹script›alert(1)‹/script›" in text
    assert len(text.splitlines()) == 3


# --- Channels that misbehave ---


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(500), "HTTP 500"),
        (http(404, b"secret words of the channel"), "HTTP 404"),
        (http(302, b"", "Location: http://127.0.0.1:1/elsewhere"), "HTTP 302"),
        (b"", "no connection"),
        (b"no HTTP\r\n\r\n", "no connection"),
    ],
)
def test_what_is_not_taken_is_tried_again(tell, serve, olga, caplog, answer, why):
    receiver = serve(answering(answer))
    pause(olga)
    tell()
    send_to(receiver.channel)
    row = get_row(receiver.channel)
    assert (row.failure, row.send_tries, row.sent_at) == (why, 1, None)
    assert receiver.connections() == 1, "no redirect is followed, and nothing is sent twice"
    models.Notification.objects.update(send_due_at=Now())
    send_to(receiver.channel)
    assert len(receiver.taken) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize("more", ["?redirect=yes", "?optional=yes", "?retry=3&wait=0.1", "?rto=600&cto=600"])
def test_what_its_url_says_of_redirects_retries_and_times_does_not_count(tell, serve, settings, olga, more):
    elsewhere = serve()
    location = f"Location: {elsewhere.url}"
    receiver = serve(answering(http(307, b"", location)))
    url = receiver.channel + more
    settings.PORTAL_NOTIFY_URLS = [url]
    pause(olga)
    tell()
    send_to(url)
    assert get_row(url).failure == "HTTP 307"
    assert receiver.connections() == 1
    assert elsewhere.connections() == 0


def test_one_that_is_away(tell, settings, olga):
    settings.PORTAL_URL = "https://portal.example"
    settings.PORTAL_NOTIFY_URLS = [url := f"json://127.0.0.1:{ports.find_port()}/"]
    pause(olga)
    tell()
    send_to(url)
    assert get_row(url).failure == "no connection"


def test_one_that_is_slow_is_not_waited_for(tell, serve, monkeypatch, olga):
    """The one that is under way counts as tried; the next stays due."""
    monkeypatch.setattr(channels, "LONGEST", 3.0)
    receiver = serve(dripping(b"HTTP/1.1 204 No content\r\nX-Header: ", b"x"))
    pause(olga)
    tell()
    models.Notification.objects.create(
        channel=channels.make_fingerprint(url=receiver.channel), kind=messages.TEST, send_due_at=timezone.now()
    )
    begun = time.monotonic()
    send_to(receiver.channel)
    assert time.monotonic() - begun < 10
    first, second = models.Notification.objects.exclude(channel="").order_by("id")
    assert (first.failure, first.send_tries) == ("timeout", 1)
    assert (second.failure, second.send_tries) == ("", 0)
    assert second.send_due_at is not None


def test_a_slow_one_has_no_part_in_the_others(tell, serve, monkeypatch, olga):
    monkeypatch.setattr(channels, "LONGEST", 2.0)
    slow, quick = serve(wait_for_end), serve()
    pause(olga)
    tell()
    jobs = {job.name for job in scheduler.list_jobs(client=None)}  # type: ignore[arg-type]
    assert {f"notify-{channels.make_fingerprint(url=one.channel)}" for one in (slow, quick)} <= jobs
    send_to(slow.channel)
    assert get_row(slow.channel).failure == "timeout"
    send_to(quick.channel)
    assert len(quick.taken) == 1


def test_a_response_without_end_takes_nobody_s_memory(tell, serve, monkeypatch, olga):
    """The process that reads it has a bound of its own."""
    monkeypatch.setattr(channels, "LONGEST", 60.0)
    block = b"x" * (1 << 22)

    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.send(block)

    receiver = serve(flood)
    pause(olga)
    tell()
    send_to(receiver.channel)
    assert get_row(receiver.channel).failure == "not sent"


def test_a_url_that_apprise_does_not_know(tell, settings, olga):
    settings.PORTAL_URL = "https://portal.example"
    settings.PORTAL_NOTIFY_URLS = [url := "nonsense://secret/"]
    pause(olga)
    tell()
    send_to(url)
    assert get_row(url).failure == "unknown URL"


def test_the_process_sees_none_of_the_portal_s_secrets(monkeypatch, tmp_path):
    for name in ("SECRET_KEY", "AGENTSTATION_API_KEY", "DATABASE_URL", "EMAIL_URL", "PORTAL_AUDIT_KEY_FILE"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    program = tmp_path / "apprise_program.py"
    program.write_text("import json, os; print(json.dumps(' '.join(f'{k}={v}' for k, v in os.environ.items())))")
    monkeypatch.setattr(channels, "__file__", str(tmp_path / "channels.py"))
    [written] = channels.send(url="json://x.example/", messages=[("title", "text")])
    assert "secret" not in written
    assert "https_proxy=http://proxy.example" in written


def test_nothing_else_loads_apprise(monkeypatch):
    """It takes a second, and memory that a worker without channels need not have."""
    program = "import django; django.setup(); import portal.worker.process, sys; print('apprise' in sys.modules)"
    command = [sys.executable, "-c", program]
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False\n"


# --- URLs ---


@pytest.mark.parametrize("scheme", sorted(environment.LOCAL_SCHEMES))
def test_what_acts_on_this_machine_is_refused_at_the_start(monkeypatch, scheme):
    monkeypatch.setenv("PORTAL_NOTIFY_URLS", f"json://ok.example/, {scheme.upper()}://secret/word")
    with pytest.raises(SystemExit) as stopped:
        environment.read_channels("PORTAL_NOTIFY_URLS")
    said = str(stopped.value)
    assert said.startswith(f"portal: PORTAL_NOTIFY_URLS has {scheme}://")
    assert "secret" not in said
    assert "\n" not in said


@pytest.mark.parametrize("value", ["secret", "slack://a,secret", "://secret", "json://", "json://a b", "json://é"])
def test_what_is_no_url_is_refused_at_the_start(monkeypatch, value):
    monkeypatch.setenv("PORTAL_NOTIFY_URLS", value)
    with pytest.raises(SystemExit, match="must be URLs") as stopped:
        environment.read_channels("PORTAL_NOTIFY_URLS")
    assert "secret" not in str(stopped.value)


def test_urls_may_come_from_a_file_and_each_counts_once(monkeypatch, tmp_path):
    file = tmp_path / "urls"
    file.write_text("slack://a/b/c , ntfys://n.example/t,slack://a/b/c\n")
    monkeypatch.setenv("PORTAL_NOTIFY_URLS_FILE", str(file))
    assert environment.read_channels("PORTAL_NOTIFY_URLS") == ["slack://a/b/c", "ntfys://n.example/t"]


def test_without_the_portal_s_own_address_the_start_is_stopped():
    own = {"PORTAL_LOCAL": "1", "PORTAL_NOTIFY_URLS": "json://secret.example/"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    command = [sys.executable, "-c", "import portal.settings"]
    done = subprocess.run(command, cwd=ROOT, env=kept | own, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "portal: PORTAL_NOTIFY_URLS needs PORTAL_URL, the portal's own address, for the links in messages.\n"
    )


# What a plugin that reaches a service does not need.
_LOCAL = {"subprocess", "ctypes", "dbus", "gi", "syslog", "win32api", "win32con", "win32gui", "hid", "usb", "shlex"}


def test_each_plugin_that_acts_on_this_machine_is_known():
    """By what Apprise's modules import: a new one of a later version is found here."""
    manager = NotificationManager()
    manager.load_modules()
    folder, found = Path(apprise.__file__).parent / "plugins", set()
    for scheme in manager.schemas():
        module = manager[scheme].__module__.removeprefix("apprise.plugins.").split(".")[0]
        paths = [folder / f"{module}.py"] if (folder / f"{module}.py").exists() else (folder / module).rglob("*.py")
        nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        if {name.split(".")[0] for name in names} & _LOCAL:
            found.add(scheme)
    assert found
    assert found <= environment.LOCAL_SCHEMES
    assert environment.LOCAL_SCHEMES - {"exec", "file"} <= set(manager.schemas())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("slack://TokenA/TokenB/TokenC/#general", "slack://…"),
        ("tgram://123456:secret/1", "tgram://…"),
        ("https://hooks.slack.com/services/T1/B1/secret", "https://hooks.slack.com"),
        ("jsons://name:secret@hooks.example:8443/secret?+X-Token=secret", "jsons://hooks.example"),
        ("ntfy://secret-topic", "ntfy://…"),
        ("ntfys://ntfy.example/secret-topic", "ntfys://ntfy.example"),
        ("mailtos://name:secret@mail.example", "mailtos://mail.example"),
        ("json://[secret", "json://…"),
    ],
)
def test_a_channel_is_named_without_its_secrets(url, shown):
    assert channels.describe(url=url) == shown
    assert re.fullmatch("[0-9a-f]{16}", channels.make_fingerprint(url=url))


def test_what_was_sent_is_recorded_though_a_later_one_hangs(tell, serve, monkeypatch, olga):
    monkeypatch.setattr(channels, "LONGEST", 3.0)
    receiver = serve()
    receiver._handlers = (receiver.take, wait_for_end)
    pause(olga)
    tell()
    models.Notification.objects.create(
        channel=channels.make_fingerprint(url=receiver.channel), kind=messages.TEST, send_due_at=timezone.now()
    )
    send_to(receiver.channel)
    first, second = models.Notification.objects.exclude(channel="").order_by("id")
    assert first.sent_at is not None
    assert second.failure == "timeout"
    assert len(receiver.taken) == 1
