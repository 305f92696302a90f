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
        """Lay out answers for the next calls: one object or a list of them."""
        self.provider.script.add(answers)

    def count_left(self) -> Counter[str]:
        """How many answers are laid out for each operation and not given yet."""
        return self.provider.script.count_left()

    def set_faults(self, wish: Any) -> None:
        """Let calls end by chance, and lists lie, until the next ones."""
        self.provider.store.faults.change(wish)

    def make_strangers(self, **wish: Any) -> list[str]:
        """Let somebody else make workstations with the same key; returns their UIDs."""
        uids: list[str] = strangers.make(self.provider.store, wish)["uids"]
        return uids

    def make_history(self, **wish: Any) -> None:
        """Let workstations have ended before now."""
        strangers.make_history(self.provider.store, wish)

    def change_types(self, generation: str) -> None:
        """Imitate another generation of the provider: `nine`, `default` or `none`."""
        self.provider.change_types({"generation": generation})

    def hold(self) -> None:
        """Hold back the answers to POST until `release`."""
        self.provider.gate.clear()

    def release(self) -> None:
        """Let the answers held back go out."""
        self.provider.gate.set()

    def record(self) -> Document:
        """Every POST received and every workstation made."""
        return self.provider.store.record()

    def age(self, seconds: float) -> None:
        """As if every workstation had begun so much earlier."""
        self.provider.store.age(seconds)

    def reset(self) -> None:
        """Forget the store, the script and the record, and hold nothing back."""
        self.provider.reset()

    def wait_for_posts(self, count: int, timeout: float) -> None:
        """Wait until so many POSTs have been received; raises TimeoutError."""
        self.provider.wait_for_posts(count, timeout)
