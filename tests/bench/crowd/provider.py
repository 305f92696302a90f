"""The provider: the sandbox in a process of its own, in memory. `python -m tests.bench.crowd.provider PORT`."""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

from portal.sandbox import control, names, server
from tests.chaos import stage

FAULTS: list[dict[str, Any]] = [
    {"share": 0.1, "status": 429, "headers": {"Retry-After": "1"}},
    {"share": 0.05, "status": 503},
    {"share": 0.03, "status": 500},
]


class Provider:
    """Its process, and what directs it."""

    def __init__(self, folder: Path) -> None:
        self.port = stage.find_port()
        self.base_url, self.key = f"http://127.0.0.1:{self.port}/v1", names.DEFAULT_API_KEY
        command = [sys.executable, "-m", "tests.bench.crowd.provider", str(self.port)]
        log = folder / "provider.log"
        self._actor = stage.Actor(name="provider", command=command, environment={**os.environ}, log=log, port=self.port)
        self._actor.bring_up()

    def reset(self) -> None:
        """Forget everything, and answer at once."""
        self._control("reset", {})

    def set_faults(self, *mix: dict[str, Any]) -> None:
        """What calls meet from now on."""
        self._control("faults", {"mix": list(mix), "seed": 1})

    def set_latency(self, seconds: float) -> None:
        """Let each POST take so long."""
        self.set_faults({"share": 1, "delay": seconds})

    def list_made(self) -> set[str]:
        """What was ever made."""
        return {str(one["uid"]) for one in self._control("record")["workstations"]}

    def count_posts(self) -> int:
        return len(self._control("record")["posts"])

    def stop(self) -> None:
        self._actor.end()

    def _control(self, name: str, wish: Any = None) -> Any:
        body = None if wish is None else json.dumps(wish).encode()
        url = f"http://127.0.0.1:{self.port}/control/{name}"
        call = urllib.request.Request(url, body, control.HEADERS | {"Content-Type": "application/json"})
        with urllib.request.urlopen(call, timeout=60) as answer:
            return json.load(answer)


def main() -> None:
    server.Sandbox(port=int(sys.argv[1])).serve_forever()


if __name__ == "__main__":
    main()
