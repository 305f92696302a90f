"""The provider's moods: faults for the sandbox that change every few seconds, all of it from one seed."""

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import requests

from tests.chaos import habits, inside, stage
from tests.provider import control

ACTIVE, HISTORY, ONE = "GET /workstations", "GET /workstations/history", "GET /workstations/{id}"
CHANGE_EVERY = (2.0, 6.0)
# How often POSTs end so: as the provider documents it, and as it should not.
NAMED = dict.fromkeys((f"fail-{status}" for status in (400, 422, 418, 500, 503, 502)), 0.01)
NAMED |= {"fail-401": 0.003, "fail-402": 0.003, "fail-429": 0.006, "fail-500-made": 0.02, "slow-1": 0.02}
NAMED |= {"unknown-status": 0.01, "new-fields": 0.01}
UGLY = ("hang", "reset", "truncate", "garbage", "drip", "fail-502", "fail-503-html")
# A workstation that shows in the lists only after this must still be found: it is less than the grace for settling.
SHOWS_AFTER = 2.0
# So long after the portal knows of an end no list shows it any more, and no scan can take it back.
REUSED_AFTER = 10.0


def mix_posts(chance: random.Random, *, clock_off: float) -> list[dict[str, Any]]:
    # By the provider's own clock, as its Date header.
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=clock_off + 1), usegmt=True)
    mix: list[dict[str, Any]] = [
        *({"share": share, "name": name} for name, share in NAMED.items()),
        *({"share": 0.006, "status": 429, "headers": {"Retry-After": after}} for after in ("1", date)),
        *({"share": 0.015, "name": name, "made": made} for name in UGLY for made in (False, True)),
        *({"share": 0.01, "status": status, "made": status == 504} for status in (504, 408)),
    ]
    factor = chance.choice((0.1, 0.3, 0.6, 1.0))
    return [response | {"share": response["share"] * factor} for response in mix]


def mix_lists(chance: random.Random) -> list[dict[str, Any]]:
    """What a reader of lists may meet. None of these is a whole list with something missing: such a lie has no cure."""
    page: dict[str, Any] = {"object": "list", "data": [], "next_cursor": "bm93aGVyZQ==", "previous_cursor": None}
    share = chance.choice((0.0, 0.02, 0.05, 0.3))
    names = ("fail-500", "fail-503", "garbage", "truncate", "reset")
    failures: list[dict[str, Any]] = []
    for on in (ACTIVE, HISTORY):
        failures += [{"on": on, "share": share / 5, "name": name} for name in names]
        failures.append({"on": on, "share": share / 10, "status": 200, "body": page})
        failures.append({"on": on, "share": share / 40, "name": "fail-401"})
    return failures + [{"on": ONE, "share": 0.02, "name": name} for name in ("fail-500", "garbage", "reset")]


def draw_faults(chance: random.Random, *, clock_off: float, enabled: frozenset[str]) -> dict[str, Any]:
    """The next faults. `clock_off`: by how much the provider's clock is off, unless a habit lets it step."""
    odd = habits.draw_faults(chance, habits=enabled)
    mix = mix_posts(chance, clock_off=odd.get("clock_off", clock_off)) + mix_lists(chance)
    faults: dict[str, Any] = {
        "seed": chance.randrange(2**31),
        "clock_off": clock_off,
        "shows_after": chance.choice((0, 0, SHOWS_AFTER)),
        "pages_shift": chance.random() < 0.5,
    }
    return faults | odd | {"mix": mix + odd["mix"]}


class Faults(stage.Part):
    """A thread that changes the sandbox's faults until it is told to calm down.

    While the portal is alone with its key, it settles by itself what others make a question; so that is a part of each
    run. `bursts`: how often all was refused without a documented reason; `accepts_former`: the key of the past.
    """

    def __init__(self, *, provider: str, seed: int, enabled: frozenset[str]) -> None:
        super().__init__()
        self._url = f"{provider}/control/faults"
        self._chance, self._enabled = random.Random(seed), enabled
        self.is_alone, self.accepts_former, self.bursts = True, False, 0
        self._clock_off = self._chance.choice((0.0, 0.0, 3600.0, -3600.0))
        self._ended: dict[str, float] = {}  # since when the portal has known of the end of what was released

    def calm(self) -> None:
        self.stop()
        self.accepts_former = False
        end = time.monotonic() + 30
        # The provider's clock is as wrong as before.
        while not self._send({"clock_off": self._clock_off}) and time.monotonic() < end:
            time.sleep(0.2)

    def run(self) -> None:
        while not self.stopping.is_set():
            enabled = self._enabled - {habits.STRANGERS} if self.is_alone else self._enabled
            faults = draw_faults(self._chance, clock_off=self._clock_off, enabled=enabled)
            if habits.REUSED_IDS in enabled:
                faults["reuse"] = self._choose_reused()
            self.bursts += any(part["share"] for part in faults["mix"] if part.get("status") in habits.UNDOCUMENTED)
            self.accepts_former = habits.FORMER_KEY in faults.get("more_keys", ())
            self._send(faults)
            self.stopping.wait(self._chance.uniform(*CHANGE_EVERY))

    def _choose_reused(self) -> list[str]:
        now = time.monotonic()
        released = [uid for uid in inside.list_released() if now - self._ended.setdefault(uid, now) > REUSED_AFTER]
        # Few: nobody can tell whose these are, and they stand in the way of other requests of their types.
        return [self._chance.choice(released)] if released and self._chance.random() < 0.3 else []

    def _send(self, faults: dict[str, object]) -> bool:
        try:
            requests.post(self._url, json=faults, headers=control.HEADERS, timeout=5).raise_for_status()
        except requests.HTTPError as error:
            raise RuntimeError(f"the sandbox refuses the faults: {error.response.text}") from error
        except requests.RequestException:
            return False  # it is being restarted
        return True
