"""`manage.py api` as a process."""

import os
import signal
import subprocess
import sys

import pytest
import requests

from portal.local import launcher
from tests import ports
from tests.api.serving import PATIENCE
from tests.chaos import stage


@pytest.fixture
def portal_of_its_own(tmp_path) -> dict[str, str]:
    """The environment of a portal with an empty database."""
    own = {"DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3", "PORTAL_API_PORT": str(ports.find_port())}
    own |= {"PORTAL_LOCAL": "1", "PORTAL_TRUSTED_PROXY": "10.0.0.1"}
    environment = os.environ | own
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=stage.ROOT, env=environment, check=True)
    return environment


def test_it_starts_answers_and_ends(portal_of_its_own, tmp_path):
    number, log = int(portal_of_its_own["PORTAL_API_PORT"]), tmp_path / "log"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "api"], cwd=stage.ROOT, env=portal_of_its_own, stdout=words, stderr=words
        )
    try:
        up = stage.wait_until(lambda: launcher.is_port_answering(number), seconds=stage.START_WITHIN)
        assert up, log.read_text()
        address = f"http://127.0.0.1:{number}/v1/workstations"
        answer = requests.get(f"{address}?token=wsp_secret", headers={"Authorization": "Bearer x"}, timeout=PATIENCE)
        assert answer.status_code == 401
        assert answer.json()["error"] == "Unauthorized"
        assert requests.get(f"http://127.0.0.1:{number}/", timeout=PATIENCE).status_code == 404
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "wsp_secret" not in log.read_text()
    assert "Traceback" not in log.read_text()
