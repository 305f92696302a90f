"""`make run` starts and ends everything."""

import os
import signal
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
import requests

from portal.sandbox import names
from tests import ports
from tests.e2e.conftest import ROOT, Portal, check_traces, manage


@pytest.fixture(scope="module")
def portal(tmp_path_factory) -> Portal:
    """Not started yet; its database is made by the first start."""
    return Portal(tmp_path_factory.mktemp("portal"))


def interrupt_group(portal: Portal) -> None:
    os.killpg(portal.process.pid, signal.SIGINT)


def terminate_make(portal: Portal) -> None:
    os.kill(portal.process.pid, signal.SIGTERM)


def hang_up(portal: Portal) -> None:
    os.killpg(portal.process.pid, signal.SIGHUP)


def test_each_end_ends_every_process_and_each_start_has_the_data_and_a_new_link(portal):
    links = list[str]()
    for how in (interrupt_group, terminate_make, hang_up):
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


def test_a_process_that_dies_is_started_again(portal):
    portal.start()
    worker = next(
        pid for pid in portal.list_processes() if Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2:3] == ["work"]
    )
    os.kill(worker, signal.SIGKILL)
    portal.read_until("The worker has ended unexpectedly and is started again.")
    portal.end()


def test_why_it_cannot_start_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    variables = {"PORT": str(ports.find_port(2)), "DATABASE_URL": f"sqlite:///{tmp_path}/file/portal.sqlite3"}
    done = subprocess.run(
        ["make", "run"], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if "***" not in line)
    assert "cannot be written" in line


SUBMIT = """
from uuid import uuid4
from portal import models
from portal.services.requests import submissions
ada = models.User.objects.create_superuser("ada")
submissions.submit_request(requester=ada, submission=uuid4(), type="max", workspace_uid="slow-2", note="")
"""
LOOK = "from portal import models; print(models.Request.objects.get().status)"


def test_the_worker_finishes_its_call_before_it_ends(portal):
    """A request is in flight when Ctrl-C comes: its workstation is recorded all the same."""
    portal.start()
    run_in(portal, SUBMIT)
    pause = threading.Event()
    key = {"Authorization": f"Bearer {names.DEFAULT_API_KEY}"}
    active = urllib.request.Request(f"{portal.sandbox}/v1/workstations", headers=key)
    while b'"data": []' in urllib.request.urlopen(active).read():
        pause.wait(0.05)
    portal.end()
    assert run_in(portal, LOOK) == "SUCCEEDED"
    check_traces(portal.environment)


def run_in(portal: Portal, code: str) -> str:
    """What it prints, in a process of the portal."""
    variables = {"PORTAL_LOCAL": "1", "PORT": str(portal.port)}
    environment = os.environ | variables | {"DATABASE_URL": f"sqlite:///{portal.folder}/portal.sqlite3"}
    return manage("shell", "-v0", "-c", code, environment=environment)


TOKEN = """
from portal import models
from portal.services.tokens import tokens
bob = models.User.objects.create_superuser("bob")
print(tokens.create_token(person=bob, name="first", scopes=["read"], lifetime=None))
"""


def test_programs_are_served_from_the_first_token_on_and_nothing_runs_for_them_before(portal):
    portal.start()
    key = {"Authorization": f"Bearer {run_in(portal, TOKEN)}"}
    assert not serves_programs(portal)
    address = f"http://127.0.0.1:{portal.api_port}/v1/workstations"
    for _ in range(2):
        assert requests.get(address, headers=key, timeout=60).json()["data"] == []
    assert requests.get(address, timeout=60).status_code == 401
    assert serves_programs(portal)
    portal.end()
    assert portal.list_processes() == []


def serves_programs(portal: Portal) -> bool:
    return any("portal.asgi" in Path(f"/proc/{pid}/cmdline").read_text() for pid in portal.list_processes())
