"""The portal's gunicorn, by its own configuration, around an application of the tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.local import launcher
from tests import ports
from tests.chaos import stage
from tests.web.clients import Client


class Server:
    def __init__(self, folder: Path, *options: str, host: str) -> None:
        self.port, self._log = ports.find_port(), folder / "log"
        command = [sys.executable, "-m", "gunicorn", *options, "tests.web.app:application"]
        with self._log.open("wb") as words:
            self.process = subprocess.Popen(
                command, cwd=stage.ROOT, env=os.environ | {"PORT": str(self.port)}, stdout=words, stderr=words
            )
        assert stage.wait_until(lambda: launcher.is_port_answering(self.port, host=host), seconds=stage.START_WITHIN), (
            self.read_log()
        )

    def read_log(self) -> str:
        return self._log.read_text()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(stage.END_WITHIN)


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def serve(*options: str, host: str = "127.0.0.1") -> Server:
        running.append(Server(tmp_path, *options, host=host))
        return running[-1]

    yield serve
    while Client.opened:
        Client.opened.pop().close()
    for server in running:
        if server.process.poll() is None:
            server.end()
