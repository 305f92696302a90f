"""`make run` starts and ends everything."""

import os
import signal
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

import requests

from portal.sandbox import names
from tests import ports
from tests.e2e.conftest import ROOT, Portal


def interrupt_group(portal: Portal) -> None:
    os.killpg(portal.process.pid, signal.SIGINT)


def terminate_make(portal: Portal) -> None:
    os.kill(portal.process.pid, signal.SIGTERM)


def hang_up(portal: Portal) -> None:
    os.killpg(portal.process.pid, signal.SIGHUP)


def test_each_end_ends_every_process_and_each_start_has_the_data_and_a_new_link(tmp_path):
    portal, links = Portal(tmp_path), list[str]()
    for how in (interrupt_group, terminate_make, hang_up):
        portal.output = ""
        portal.start()
        links.append(portal.setup_link)
        assert len(portal.list_processes()) >= 4
        assert urllib.request.urlopen(f"{portal.printed}/healthz").status == 200
        assert [is_there(link) for link in links] == [False] * (len(links) - 1) + [True]
        portal.read_until("has started")  # the worker's own word: before it no signal is caught

        output = portal.end(how)

        assert portal.list_processes() == []
        assert "has stopped" in output
    assert len(set(links)) == len(links)


def is_there(address: str) -> bool:
    return requests.get(address, timeout=10).status_code == 200


def test_a_process_that_dies_is_started_again(tmp_path):
    portal = Portal(tmp_path).start()
    worker = next(
        pid for pid in portal.list_processes() if Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2:3] == ["work"]
    )
    os.kill(worker, signal.SIGKILL)
    portal.read_until("The worker has ended unexpectedly and is started again.")
    portal.end()


def run_make(**variables: str) -> str:
    done = subprocess.run(
        ["make", "run"], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "***" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_taken_port_is_said_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        values = {"PORTAL_SANDBOX_PORT": str(ports.find_port()), "DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3"}
        assert f"Port {port} is taken" in run_make(PORT=port, **values)


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    line = run_make(PORT=str(ports.find_port()), DATABASE_URL=f"sqlite:///{tmp_path}/file/portal.sqlite3")
    assert "cannot be written" in line


def test_the_worker_finishes_its_call_before_it_ends(tmp_path):
    """A request is in flight when Ctrl-C comes: its workstation is recorded all the same."""
    portal = Portal(tmp_path).start()
    code = (
        "import django; django.setup()\n"
        "from portal import models; from portal.services.requests import submissions; import uuid\n"
        "user = models.User.objects.create_superuser('ada')\n"
        "values = {'type': 'max', 'workspace_uid': 'slow-2', 'note': ''}\n"
        "submissions.submit_request(requester=user, submission=uuid.uuid4(), **values)"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_LOCAL": "1",
        "PORTAL_SANDBOX_PORT": str(portal.sandbox_port),
        "DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3",
    }
    python = str(ROOT / ".venv/bin/python")
    subprocess.run([python, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True)
    pause = threading.Event()
    key = {"Authorization": f"Bearer {names.DEFAULT_API_KEY}"}
    active = urllib.request.Request(f"{portal.sandbox}/v1/workstations", headers=key)
    while b'"data": []' in urllib.request.urlopen(active).read():
        pause.wait(0.05)
    portal.end()
    look = "import django; django.setup()\nfrom portal import models; print(models.Request.objects.get().status)"
    done = subprocess.run([python, "-c", look], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "SUCCEEDED"
