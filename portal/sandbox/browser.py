"""The browser of a workstation: a headless Chromium of this machine, with a profile that is thrown away."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from portal.sandbox.calls import RefusalError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_STARTS_WITHIN = 30.0
_LOOK_EVERY = 0.05
_OPTIONS = (
    "--headless",
    "--remote-debugging-address=127.0.0.1",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-dev-shm-usage",
)


def find_program() -> str:
    """The path of an installed Chromium; raises RefusalError."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    raise RefusalError.make(422, "Unprocessable Entity - no Chromium is installed where the sandbox runs.")


class Browser:
    """One Chromium and the port at which it can be debugged."""

    def __init__(self, *, ended: threading.Event) -> None:
        program = find_program()
        self._profile = tempfile.TemporaryDirectory(prefix="sandbox-browser-", ignore_cleanup_errors=True)
        # Chromium's own sandbox refuses to work for root.
        options = [*_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(  # noqa: S603 - our own options
            [program, *options, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self.address = f"http://127.0.0.1:{self._wait_for_port(ended)}"
        except BaseException:
            self.close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it still runs: who debugs it can close it."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it with all its processes at once, as nothing of it is to be kept."""
        # Once it has been waited for, its number may be somebody else's.
        if self.is_alive:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._profile.cleanup()

    def _wait_for_port(self, ended: threading.Event) -> int:
        """The port, which Chromium writes into its profile."""
        place = Path(self._profile.name) / "DevToolsActivePort"
        for _ in range(round(_STARTS_WITHIN / _LOOK_EVERY)):
            port, _, rest = place.read_text().partition("\n") if place.exists() else ("", "", "")
            if rest:
                return int(port)
            if not self.is_alive or ended.wait(_LOOK_EVERY):
                break
        raise RefusalError.make(500, "Internal Server Error - the browser of this workstation did not start.")
