"""The commands, each in this process where it can be."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from portal import models
from portal.db import triggers
from portal.db.connection import execute
from portal.local import launcher
from portal.management.commands import run_local
from portal.sandbox import server
from portal.services.audit import protection
from portal.worker import process
from tests import factories, ports


@pytest.mark.django_db
def test_setup_link_prints_a_path_while_there_is_no_administrator(capsys):
    call_command("setup_link")
    assert capsys.readouterr().out.startswith("/setup/")
    factories.create_user("root", is_superuser=True)
    with pytest.raises(CommandError, match="administrator already"):
        call_command("setup_link")


@pytest.mark.django_db(transaction=True)
def test_work_works_until_it_is_stopped(sandbox, alice, monkeypatch):
    """A signal ends it in earnest; signals go to the main thread only, so that here the worker is told directly."""
    started = []
    monkeypatch.setattr(process.Process, "stop_on_signals", lambda worker: started.append(worker))
    command = threading.Thread(target=call_command, args=["work", "--threads", "1"])
    command.start()
    portal_request = factories.submit(alice)
    pause = threading.Event()
    while portal_request.status != "SUCCEEDED":
        pause.wait(0.01)
        portal_request.refresh_from_db()
    started[0].stop()
    command.join()
    assert models.Worker.objects.get().stopped_at


@pytest.mark.django_db
def test_no_worker_starts_on_a_record_that_is_not_protected():
    triggers.remove_triggers()
    with pytest.raises(CommandError, match="puts the triggers of the audit log back"):
        call_command("work")


@pytest.mark.django_db
def test_a_database_of_another_version_is_not_migrated():
    MigrationRecorder(connection).record_applied("portal", "0001_initial")
    with pytest.raises(CommandError, match="Set it aside with its audit key and begin with a new one") as raised:
        call_command("migrate")
    assert "\n" not in str(raised.value)
    assert protection.find_faults() == []


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL ends idle transactions")
def test_a_migration_may_be_idle_for_longer_than_a_request(monkeypatch):
    limits = []
    handle = "django.core.management.commands.migrate.Command.handle"
    monkeypatch.setattr(
        handle, lambda command, **options: limits.extend(execute("SHOW idle_in_transaction_session_timeout"))
    )
    execute("SET idle_in_transaction_session_timeout = '3s'")
    call_command("migrate")
    assert limits == [("0",)]


def test_a_signal_asks_the_worker_to_stop(sandbox):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    worker = process.Process(sender_count=1)
    worker.stop_on_signals()
    try:
        signal.raise_signal(signal.SIGTERM)
        assert worker._end.get(timeout=5) is None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_run_local_names_a_taken_port_and_is_for_one_machine_only(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings.PORT = port
        with pytest.raises(CommandError, match=f"Port {port} is taken"):
            call_command("run_local")
        assert launcher.is_port_answering(port)
    settings.PORTAL_API_PORT = port
    with pytest.raises(CommandError, match="must differ"):
        call_command("run_local")
    settings.PORTAL_LOCAL = False
    with pytest.raises(CommandError, match="make run"):
        call_command("run_local")


def test_run_local_without_the_port_for_programs_says_so_and_serves_people(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.PORTAL_API_PORT = taken.getsockname()[1]
        command = run_local.Command()
        command._listen()
    assert "The API" not in [part.name for part in command._list_parts()]
    assert f"No programs are served. Port {settings.PORTAL_API_PORT} is taken." in command._describe("")


def sleeper(**values) -> launcher.Part:
    return launcher.Part(name="Sleeper", command=[sys.executable, "-c", "import time; time.sleep(600)"], **values)


def test_nothing_starts_while_the_sandbox_of_another_portal_answers(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    with server.Sandbox() as other:
        settings.SANDBOX_PORT = urlsplit(other.url).port
        parts = [run_local.Command()._list_parts()[0], sleeper()]
        started = launcher.Launcher(parts=parts, folder=settings.BASE_DIR)
        with pytest.raises(launcher.CannotStart, match=r"is taken.*: PORT=\.\.\. make run$"):
            started.start()
        assert parts[1].process is None
    started.start()
    assert [part.has_died() for part in parts] == [False, False]
    started.stop()


def test_a_part_that_ends_again_and_again_is_given_up(tmp_path, capsys):
    bad = launcher.Part(name="Bad", command=[sys.executable, "-c", ""])
    parts = launcher.Launcher(parts=[bad], folder=tmp_path)
    parts.start()
    with pytest.raises(launcher.CannotStart, match="again and again"):
        parts.run()
    assert capsys.readouterr().out.count("is started again") == 2


def test_a_part_that_does_not_end_is_killed(tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); open('ready', 'w').close(); time.sleep(600)"
    stubborn = launcher.Part(name="Stubborn", command=[sys.executable, "-c", code], stop_within=0.1)
    stubborn.stop()
    stubborn.start(folder=tmp_path)
    pause = threading.Event()
    while not (tmp_path / "ready").exists():
        pause.wait(0.01)
    stubborn.stop()
    assert stubborn.process is not None
    assert stubborn.process.returncode == -9


def test_a_second_signal_ends_everything_at_once(tmp_path):
    part = sleeper()
    parts = launcher.Launcher(parts=[part], folder=tmp_path)
    parts.start()
    parts._on_signal(15, None)
    parts._on_signal(15, None)
    parts.run()
    parts.stop()
    assert part.process is not None
    assert part.process.returncode == -9


def test_a_second_portal_on_the_same_data_or_a_folder_that_cannot_be_made_is_refused(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "new"
    first = run_local.Command()
    first._lock_data()
    with pytest.raises(CommandError, match=r"is running on .* already"):
        run_local.Command()._lock_data()
    first._lock.close()
    again = run_local.Command()
    again._lock_data()
    again._lock.close()
    (tmp_path / "file").write_text("")
    settings.DATA_DIR = tmp_path / "file" / "data"
    with pytest.raises(CommandError, match="cannot be used"):
        run_local.Command()._lock_data()


HAND_OVER = """
import sys
from pathlib import Path
from portal.local import launcher
command = [sys.executable, "-c", sys.argv[1]]
parts = [launcher.Part(name="Part", command=command, port=int(sys.argv[2]) or None)]
launcher.hand_over(parts=parts, folder=Path.cwd(), greeting="A link for you alone")
"""


def hand_over(code: str, *, port: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HAND_OVER, code, str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "nobody reads its lines any more"])
def test_what_is_handed_over_runs_until_a_signal_in_a_process_of_its_own(tmp_path, is_read):
    with hand_over(f"import os, time; open('{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(600)") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "A link for you alone\n"
        shown = Path(f"/proc/{process.pid}/cmdline").read_text()
        assert "portal.local.launcher" in shown
        assert "link" not in shown
        assert "django" not in Path(f"/proc/{process.pid}/maps").read_text()
        pause = threading.Event()
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            pause.wait(0.01)
        if not is_read:
            process.stdout.close()
        process.terminate()
        if is_read:
            said = "Stopping: web, then worker (which finishes its calls), then sandbox.\n"
            assert process.communicate(timeout=60) == (said, "")
            assert process.returncode == 0
        process.wait(timeout=60)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_what_is_handed_over_and_cannot_start_is_said_in_one_line():
    with hand_over("", port=ports.find_port()) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "A link" not in output
    assert errors == "portal: Part did not start; its own lines above say why.\n"
