"""`python -m tests.bench.desktops --pages 100 --seconds 60`: what open desktops cost everybody else.

Lets as many pages of desktops say that they are open as browsers do, without browsers, and calls another page
meanwhile; and, in turns with that, while no desktop is open.
"""

import http.client
import statistics
import threading
import time
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.middleware import csrf

from tests.bench import polls
from tests.chaos import stage

_EVERY = 20.0  # seconds, as the portal tells pages
_TURNS = 3


class Bench(polls.Bench):
    """One run. `pages` are desktops."""

    def _prepare(self) -> None:
        super()._prepare()
        self._token = csrf._get_new_csrf_string()
        self._alive = [self._open_desktop(path) for path, _ in self._pages]

    @staticmethod
    def _open_desktop(path: str) -> str:
        """Give the request a workstation whose desktop is open; the address of its poll."""
        row = apps.get_model("portal", "Request").objects.get(pk=path.split("/")[2])
        made = apps.get_model("portal", "Workstation").objects.create(
            account=row.account, request=row, uid=uuid4().hex[:12], type="max", status="active"
        )
        opened = apps.get_model("portal", "Connection").objects.create(
            workstation=made, person=row.requester, kind="desktop"
        )
        return f"/connections/{opened.pk}/alive/"

    def _measure(self, web: stage.Actor) -> None:
        polls._print(f"{len(self._pages)} open desktops, each polls every {_EVERY:.0f} s, {self._options.database}")
        ratios = []
        for _ in range(_TURNS):
            alone = self._call(self._options.seconds)
            used, stop = self._read_time(web), threading.Event()
            threads = [
                threading.Thread(target=self._poll_alive, args=(place, stop)) for place in range(len(self._alive))
            ]
            for thread in threads:
                thread.start()
            beside = self._call(self._options.seconds)
            stop.set()
            for thread in threads:
                thread.join()
            ratios.append(beside / alone)
            cost = 1000 * (self._read_time(web) - used) / self._options.seconds
            polls._print(
                f"home's p95: {1000 * alone:.0f} ms alone, {1000 * beside:.0f} ms beside them, {ratios[-1]:.2f} x; "
                f"{cost:.0f} ms of processor a second for both"
            )
        polls._print(f"median: {statistics.median(ratios):.2f} x; answers {dict(self.responses)}")

    def _call(self, seconds: float) -> float:
        """The 95th percentile of a home page's time, called again and again with a little pause."""
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            self._get("/", self._pages[0][1])
            times.append(time.monotonic() - begun)
            time.sleep(0.05)
        return statistics.quantiles(times, n=20)[-1]

    def _poll_alive(self, place: int, stop: threading.Event) -> None:
        """A page that says that it is open, beginning at its own moment."""
        pause = _EVERY * place / len(self._alive)
        while not stop.wait(pause):
            wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            cookies = f"sessionid={self._pages[place][1].session}; csrftoken={self._token}"
            headers = {"Cookie": cookies, "X-CSRFToken": self._token, "HX-Request": "true"}
            wire.request("POST", self._alive[place], headers=headers)
            answer: Any = wire.getresponse()
            assert b'"ended": null' in answer.read(), answer.status
            self.responses[answer.status] += 1
            wire.close()
            pause = _EVERY


def main() -> None:
    """Read the options and run."""
    polls.main(make=Bench, description=__doc__, pages=100)


if __name__ == "__main__":
    main()
