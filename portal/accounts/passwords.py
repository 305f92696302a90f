"""What a new password has to be beside Django's rules; and how many are hashed at one time."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress

from django.contrib.auth import hashers
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.services.limits.throttle import TooManyHashings

HELP = gettext_lazy(
    "At least 10 characters. Not only digits, not similar to your name, not made of the portal's own words, and not "
    "a common password. Four random words are easy to remember and hard to guess."
)


class NotOurWords:
    """Not what anybody tries first who knows the portal: its words, with a few characters more."""

    WORDS = ("workstation", "agentstation", "workspace", "portal", "administrator", "operator", "auditor", "password")
    _LEAST_BESIDE = 6

    def validate(self, password: str, user: object = None) -> None:
        left = password.casefold()
        for word in self.WORDS:
            left = left.replace(word, "")
        if left != password.casefold() and len(left) < self._LEAST_BESIDE:
            raise ValidationError(
                _("This password is easy to guess for people who know this portal. Choose another."), "our_words"
            )

    def get_help_text(self) -> str:
        """Nothing: HELP says it for all rules together."""
        return ""


_present = threading.local()  # the gate in which this thread is


class Gate:
    """Lets a few threads in at one time, and a few more wait for that; raises TooManyHashings for all others."""

    def __init__(self, *, places: int, waiting: int = 4, patience: float = 5.0) -> None:
        self._present = threading.BoundedSemaphore(places + waiting)
        self._places = threading.BoundedSemaphore(places)
        self._patience = patience

    @contextmanager
    def enter(self) -> Iterator[None]:
        if not self._present.acquire(blocking=False):
            raise TooManyHashings
        try:
            if not self._places.acquire(timeout=self._patience):
                raise TooManyHashings
            _present.gate = self
            try:
                yield
            finally:
                _present.gate = None
                self._places.release()
        finally:
            self._present.release()


def _give_way() -> None:
    """Let every other thread have the processor first, where the system knows priorities of threads."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


# Two are hashed at one time, few wait. Whoever has signed in here before has a place of their own, whatever strangers
# do, and so has whoever is signed in: none of them keeps out the others.
STRANGERS, FRIENDS, MEMBERS = (Gate(places=1, waiting=2) for _ in range(3))
# Threads of their own: one that has given way cannot take its priority back.
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="hashing", initializer=_give_way)


class GatedHasher(hashers.PBKDF2PasswordHasher):
    """Django's. It is slow on purpose: whoever sends many passwords at once must not keep the processor from others."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with nullcontext() if getattr(_present, "gate", None) else MEMBERS.enter():
            return _THREADS.submit(super().encode, password, salt, iterations).result()
