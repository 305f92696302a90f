"""The team's channels: Apprise, in its own process, with real receivers, and which URLs are refused."""

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


def test_each_channel_gets_what_concerns_the_team_once_and_as_plain_text(tell, serve, sandbox, alice, olga):
    receivers = serve(), serve()
    sandbox.script({"name": "fail-422"})
    factories.submit_and_send(alice)  # concerns her alone
    pause(olga, reason="<script>alert(1)</script> @everyone <!channel> [y](http://evil.example)\nhttps://evil.example")
    tell()
    for receiver in receivers:
        for _ in range(2):
            send_to(receiver.channel)
        [taken] = receiver.taken
        assert taken["title"] == "Sending is paused: an operator paused sending"
        reason, _, link = taken["message"].splitlines()
        assert reason.startswith("olga: ‹script›alert(1)‹/script› ")
        assert not re.search(r"<|@everyone|\[", reason)
        assert link == "https://portal.example/key/"
        row = get_row(receiver.channel)
        assert (row.failure, row.send_due_at, row.person) == ("", None, None)
        assert row.sent_at is not None


# --- Channels that misbehave ---


def test_what_is_not_taken_is_tried_again(tell, serve, olga, caplog):
    answers = {
        "HTTP 500": http(500),
        "HTTP 404": http(404, b"secret words of the channel"),
        "HTTP 302": http(302, b"", "Location: http://127.0.0.1:1/elsewhere"),
        "no connection": b"",
    }
    receiver = serve(*map(answering, answers.values()))
    pause(olga)
    tell()
    for tries, why in enumerate(answers, start=1):
        send_to(receiver.channel)
        row = get_row(receiver.channel)
        assert (row.failure, row.send_tries, row.sent_at) == (why, tries, None)
        assert receiver.connections() == tries, "no redirect is followed, and nothing is sent twice"
        models.Notification.objects.update(send_due_at=Now())
    send_to(receiver.channel)
    assert len(receiver.taken) == 1
    assert "secret" not in caplog.text


def test_what_its_url_says_of_redirects_retries_and_times_does_not_count(tell, serve, settings, olga):
    elsewhere = serve()
    receiver = serve(answering(http(307, b"", f"Location: {elsewhere.url}")))
    url = f"{receiver.channel}?redirect=yes&optional=yes&retry=3&wait=0.1&rto=600&cto=600"
    settings.PORTAL_NOTIFY_URLS = [url]
    pause(olga)
    tell()
    send_to(url)
    assert get_row(url).failure == "HTTP 307"
    assert receiver.connections() == 1
    assert elsewhere.connections() == 0


@pytest.mark.parametrize(
    ("url", "why"), [("json://127.0.0.1:{port}/", "no connection"), ("nonsense://secret/", "unknown URL")]
)
def test_one_that_is_away_or_that_apprise_does_not_know(tell, settings, olga, url, why):
    settings.PORTAL_URL = "https://portal.example"
    settings.PORTAL_NOTIFY_URLS = [url := url.format(port=ports.find_port())]
    pause(olga)
    tell()
    send_to(url)
    assert get_row(url).failure == why


def test_one_that_is_slow_is_not_waited_for_and_has_no_part_in_the_others(tell, serve, monkeypatch, olga):
    """What it took before is recorded, the one that is under way counts as tried, and the next stays due."""
    monkeypatch.setattr(channels, "LONGEST", 5.0)
    slow, quick = serve(), serve()
    slow._handlers = (slow.take, dripping(b"HTTP/1.1 204 No content\r\nX-Header: ", b"x"))
    pause(olga)
    tell()
    names = [channels.make_fingerprint(url=one.channel) for one in (slow, quick)]
    jobs = {job.name for job in scheduler.list_jobs(client=None)}  # type: ignore[arg-type]
    assert {f"notify-{name}" for name in names} <= jobs
    for _ in range(2):
        models.Notification.objects.create(channel=names[0], kind=messages.TEST, send_due_at=timezone.now())
    begun = time.monotonic()
    send_to(slow.channel)
    assert time.monotonic() - begun < 10
    first, second, third = models.Notification.objects.filter(channel=names[0]).order_by("id")
    assert first.sent_at is not None
    assert (second.failure, second.send_tries) == ("timeout", 1)
    assert (third.failure, third.send_tries) == ("", 0)
    assert third.send_due_at is not None
    monkeypatch.setattr(channels, "LONGEST", 20.0)
    send_to(quick.channel)
    assert len(quick.taken) == 1


def test_a_response_without_end_takes_nobody_s_memory(tell, serve, monkeypatch, tmp_path, olga):
    """The process that reads it has a bound of its own, which is lower here: to read up to it takes a while."""
    program = Path(channels.__file__).with_name("apprise_program.py").read_text()
    (tmp_path / "apprise_program.py").write_text(program.replace("1 << 30", "1 << 28"))
    monkeypatch.setattr(channels, "__file__", str(tmp_path / "channels.py"))
    monkeypatch.setattr(channels, "LONGEST", 60.0)
    block = b"x" * (1 << 22)

    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.send(block)

    receiver = serve()
    receiver._handlers = (receiver.take, flood)
    pause(olga)
    tell()
    name = channels.make_fingerprint(url=receiver.channel)
    models.Notification.objects.create(channel=name, kind=messages.TEST, send_due_at=timezone.now())
    send_to(receiver.channel)
    taken, flooded = models.Notification.objects.filter(channel=name).order_by("id")
    assert (taken.failure, flooded.failure) == ("", "not sent")


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
        if any(_LOCAL & set(re.findall(r"^ *(?:import|from) (\w+)", path.read_text(), re.MULTILINE)) for path in paths):
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
