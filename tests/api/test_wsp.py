"""The command line at the portal's own `/v1`."""

import subprocess

import pytest

from portal import models
from tests import factories
from tests.worker.running import run_worker
from tests.wsp.running import PATIENCE, Ended, make_command, make_environment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wsp(program, server, tmp_path):
    """`wsp` as a script of alice's runs it."""
    environment = make_environment(tmp_path, WSP_URL=server.base_url, WSP_TOKEN=program.secret)

    def run(*words: str) -> Ended:
        command = make_command(*words)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def test_a_day_with_the_portal(wsp, settings):
    settings.PORTAL_URL = "https://portal.example"
    assert "python" in [line.split("\t")[0] for line in wsp("types").out.splitlines()]
    with run_worker():
        ended = wsp("request", "python", "--for", "2h", "--wait")
    portal_request = models.Request.objects.get()
    uid = portal_request.workstation.uid

    assert (ended.code, ended.out) == (0, f"{uid}\n")
    assert f"{portal_request.label} https://portal.example/requests/{portal_request.pk}/\n" in ended.err
    assert portal_request.lifetime == "2h"
    assert wsp("list").out.startswith(f"{uid}\tpython\tactive\t")
    with run_worker():
        assert wsp("release", uid) == (0, f"Released {uid}.\n", "")
    assert wsp("list").out == ""
    assert wsp("list", "--history").out.startswith(f"{uid}\tpython\tcompleted\t")


def test_who_does_not_wait_finds_the_request_again(wsp, hasty):
    ended = wsp("request", "python")
    portal_request = models.Request.objects.get()
    assert (ended.code, portal_request.status) == (4, "QUEUED")
    assert f"It is not known yet what becomes of {portal_request.label}." in ended.err
    command = ended.err.partition("To wait on for it: wsp ")[2].splitlines()[0]

    factories.send_until_settled(portal_request)
    assert wsp(*command.split()).out == f"{models.Workstation.objects.get().uid}\n"
    assert models.Request.objects.count() == 1


def test_the_portal_s_refusals_are_said(wsp, program, alice):
    factories.set_policy(running_per_person=1, lifetimes="2h", lifetime="2h")
    factories.create_workstation(alice)
    assert [wsp("request", "python", "--for", "9h").code, wsp("release", "made-up").code] == [1, 1]
    ended = wsp("request", "python", "--wait")
    assert ended.code == 1
    assert "No more workstations now: you have 1 of at most 1" in ended.err
    models.Token.objects.update(scopes="request")
    ended = wsp("list")
    assert ended.code == 3
    assert "This token does not have the scope read." in ended.err
    assert program.secret not in ended.err
