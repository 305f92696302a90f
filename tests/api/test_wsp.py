"""The command line at the portal itself: what the sandbox, beside which it is tested, does not have."""

import platform
import re
from collections.abc import Iterator

import pytest

from portal import models
from tests.browser import read
from tests.worker.running import run_worker
from tests.wsp.running import PATIENCE, Window, make_environment, start
from wsp import client, failures, signin

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def portal(program, sandbox) -> Iterator[client.Portal]:
    with client.Portal(signin.SignIn(f"http://127.0.0.1:{program.server.port}", program.secret)) as opened:
        yield opened


def test_a_workstation_is_requested_extended_shown_and_released(portal, alice):
    with run_worker():
        made, where = portal.request_workstation(client.Wish(type="python", key="one", lifetime="2h"), seconds=60)
        assert where.number.startswith("R-")
        uid = made["id"]
        first = portal.extend(uid, "3h")["ends_at"]
        assert portal.extend(uid, "4h")["ends_at"] > first
        with pytest.raises(failures.Refused, match="lifetime must be such as"):
            portal.extend(uid, "soon")
        assert portal.find_page(uid).endswith(f"/workstations/{uid}/")
        assert portal.open_connection(uid, "sandbox/pty").startswith("ws")
        assert portal.release(uid)["released"] is True
        with pytest.raises(failures.Refused, match="Unprocessable"):
            portal.find_page(uid)


def test_the_command_line_signs_in_by_the_browser(program, live_server, alice, sign_in, tmp_path, settings):
    settings.PORTAL_API_PORT, settings.IDP_OIDC_DEVICE_CODE_INTERVAL = program.server.port, 1
    opened = tmp_path / "opened"
    environment = make_environment(tmp_path, BROWSER=f"sh -c 'echo %s > {opened}'")
    port = live_server.thread.port
    # To the address that the browser shows, of which the system's resolver may know nothing.
    with Window("login", f"http://ws-k3v9q2ab.localhost:{port}/", environment=environment) as window:
        shown = window.await_text("type the code ") + window.await_text("-")
        [code] = re.findall("[A-Z]{4}-[A-Z]{4}", window.await_text("Waiting"))
        page = f"http://127.0.0.1:{port}/accounts/device/"
        assert f"Open {page} and type" in shown
        assert "Approved" in read(
            sign_in(alice).post("/accounts/device/", {"code": code, "answer": "approve", "scopes": "read"}, follow=True)
        )
        window.await_text("Signed in to")
        assert window.wait() == 0
        assert "wsp_" not in window.shown
    assert opened.read_text().strip() == page
    process = start("list", "--json", environment=environment)
    assert process.communicate(timeout=PATIENCE) == ("[]", "No workstations.\n")
    token = models.Token.objects.latest("pk")
    assert (token.person, token.name) == (alice, f"wsp on {platform.node()}")
    assert token.last_used_at
