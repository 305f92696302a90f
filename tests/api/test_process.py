"""`manage.py api` as a process."""

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
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
        words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
        assert words[words.index("--keep-alive") + 1] == "75"
        with closing(http.client.HTTPConnection("127.0.0.1", number, timeout=PATIENCE)) as kept:
            kept.connect()
            for path, status in (("/v1/workstations?token=wsp_secret", 401), ("/", 404)):
                connected = kept.sock
                kept.request("GET", path, headers={"Authorization": "Bearer x"})
                answer = kept.getresponse()
                assert (answer.status, json.loads(answer.read()).keys()) == (status, {"error", "message"})
                assert answer.headers["Strict-Transport-Security"] is None
                assert kept.sock is connected
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert "wsp_secret" not in log.read_text()
    assert "Traceback" not in log.read_text()
