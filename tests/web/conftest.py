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

_SCRIPT = """
from pathlib import Path
from portal.web import worker

worker.ARRIVE_WITHIN, worker.SEND_WITHIN = {arrive_within}, {send_within}
worker.GIVE_WAY, worker.FORMS_GIVE_WAY = {give_way}, {forms_give_way}
exec(Path("gunicorn.conf.py").read_text())
"""


class Server:
    def __init__(self, folder: Path, script: str, *, host: str) -> None:
        self.port, self._log = ports.find_port(), folder / "log"
        (folder / "gunicorn.conf.py").write_text(script)
        command = [sys.executable, "-m", "gunicorn", "-c", f"{folder}/gunicorn.conf.py", "tests.web.app:application"]
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
    """Starts it; its limits in seconds may be shorter or longer, and gunicorn's settings others."""
    running: list[Server] = []

    def serve(
        *,
        arrive_within: float = 600,
        send_within: float = 600,
        give_way: float = 0.25,
        forms_give_way: float = 0.05,
        host: str = "127.0.0.1",
        **settings: object,
    ) -> Server:
        script = _SCRIPT.format(
            arrive_within=arrive_within, send_within=send_within, give_way=give_way, forms_give_way=forms_give_way
        )
        lines = [f"{name} = {value!r}" for name, value in settings.items()]
        running.append(Server(tmp_path, "\n".join([script, *lines]), host=host))
        return running[-1]

    yield serve
    while Client.opened:
        Client.opened.pop().close()
    for server in running:
        if server.process.poll() is None:
            server.end()
