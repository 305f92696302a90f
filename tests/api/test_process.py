"""`manage.py api` as a process."""

import os
import signal
import subprocess
import sys

import pytest
import requests
from django.db import connection

from portal.local import launcher
from tests import factories, ports
from tests.api.serving import PATIENCE
from tests.chaos import stage


@pytest.mark.skipif(connection.vendor == "postgresql", reason="a process is the same on both")
@pytest.mark.django_db(transaction=True)
def test_it_starts_answers_and_ends(tmp_path):
    number, log = ports.find_port(), tmp_path / "log"
    own = {"DATABASE_URL": factories.name_database(), "PORTAL_API_PORT": str(number), "PORTAL_LOCAL": "1"}
    environment = os.environ | own | {"PORTAL_TRUSTED_PROXY": "10.0.0.1"}
    with log.open("wb") as words:
        command = [sys.executable, "manage.py", "api"]
        process = subprocess.Popen(command, cwd=stage.ROOT, env=environment, stdout=words, stderr=words)
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
