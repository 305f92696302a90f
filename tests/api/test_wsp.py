"""The command line at the portal itself: what the sandbox, beside which it is tested, does not have."""

from collections.abc import Iterator

import pytest

from tests.worker.running import run_worker
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
