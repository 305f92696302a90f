"""The provider that lies as a server: `with server.Sandbox() as sandbox: ...`."""

import itertools
from collections import Counter
from typing import Any

from portal.sandbox import server
from portal.sandbox.responses import Reply
from portal.sandbox.store import Document
from tests.provider import provider, store, strangers

DRIP_EVERY = 1.0
# Answers that by HTTP's own rules have no body.
BODILESS = frozenset({204, 304})


class Handler(server.Handler):
    def play_answer(self, reply: Reply) -> None:
        if reply.status in BODILESS:
            self.send_head(reply)
        else:
            super().play_answer(reply)

    def play_truncate(self, reply: Reply) -> None:
        self.send_head(reply, Content_Length=str(len(reply.body) + 1000))
        self.wfile.write(reply.body[: len(reply.body) // 2 + 1])

    def play_drip(self, reply: Reply) -> None:
        """A byte of the answer at a time, then spaces, until the client leaves or the server stops."""
        self.send_head(reply, Transfer_Encoding="chunked")
        letters = itertools.chain(reply.body, itertools.repeat(ord(" ")))
        self.wfile.write(b"1\r\n%c\r\n" % next(letters))
        while not self.provider.stopping.wait(DRIP_EVERY):
            self.wfile.write(b"1\r\n%c\r\n" % next(letters))


class Sandbox(server.Sandbox):
    """The sandbox, and what a test in the same process directs it by; the control addresses do the same."""

    handler_class = Handler
    store_class = store.Store
    provider_class = provider.Provider
    provider: provider.Provider

    def script(self, answers: Any) -> None:
        self.provider.script.add(answers)

    def count_left(self) -> Counter[str]:
        return self.provider.script.count_left()

    def set_faults(self, wish: Any) -> None:
        self.provider.store.faults.change(wish)

    def make_strangers(self, **wish: Any) -> list[str]:
        uids: list[str] = strangers.make(self.provider.store, wish)["uids"]
        return uids

    def make_history(self, **wish: Any) -> None:
        strangers.make_history(self.provider.store, wish)

    def change_types(self, generation: str) -> None:
        self.provider.change_types({"generation": generation})

    def hold(self, *, releases: bool = False) -> None:
        """Answer no POST, and no release where that is said, until `release`."""
        self.provider.holds_releases = releases
        self.provider.gate.clear()

    def release(self) -> None:
        self.provider.gate.set()

    def say(self, piece: bytes) -> None:
        self.provider.say(piece)

    def record(self) -> Document:
        return self.provider.store.record()

    def age(self, seconds: float) -> None:
        self.provider.store.age(seconds)
        self.provider.script.age(seconds)

    def reset(self) -> None:
        self.provider.reset()

    def wait_for_posts(self, count: int, timeout: float) -> None:
        self.provider.wait_for_posts(count, timeout)
