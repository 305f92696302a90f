"""The provider that lies as a server: `with server.Sandbox() as sandbox: ...`."""

from collections import Counter
from typing import Any

from portal.sandbox import server
from portal.sandbox.store import Document
from tests.provider import provider, store, strangers


class Sandbox(server.Sandbox):
    """The sandbox, and what a test in the same process directs it by; the control addresses do the same."""

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

    def hold(self) -> None:
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
