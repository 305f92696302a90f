"""The provider: the sandbox in a process of its own, in memory."""

import os
import sys
from pathlib import Path
from typing import Any

import requests

from tests import ports
from tests.chaos import stage
from tests.provider import control


class Provider:
    def __init__(self, folder: Path) -> None:
        self.port = ports.find_port()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        command = [sys.executable, "-m", "tests.provider", "--port", str(self.port)]
        log = folder / "provider.log"
        self._actor = stage.Actor(name="provider", command=command, environment={**os.environ}, log=log, port=self.port)
        self._actor.bring_up()

    def reset(self) -> None:
        self._control("reset", {})

    def set_latency(self, seconds: float) -> None:
        self._control("faults", {"mix": [{"share": 1, "delay": seconds}]})

    def hold(self) -> None:
        """Answer no POST until it is reset."""
        self._control("hold", {})

    def stop(self) -> None:
        self._actor.end()

    def _control(self, name: str, wish: Any = None) -> Any:
        url, method = f"http://127.0.0.1:{self.port}/control/{name}", "GET" if wish is None else "POST"
        answer = requests.request(method, url, json=wish, headers=control.HEADERS, timeout=60)
        answer.raise_for_status()
        return answer.json()
