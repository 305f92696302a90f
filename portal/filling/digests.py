"""What the events of a batch tell of its rows, as the portal's services would have had them tell."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

from django.db.models import Model

from portal import models
from portal.services.audit import keys, rowdigests

_AT_ONCE = 500
_KINDS: Mapping[str, type[Model]] = {
    "request": models.Request,
    "attempt": models.Attempt,
    "late-answer": models.LateAnswer,
    "workstation": models.Workstation,
    "workspace": models.Workspace,
}
_VERB, _TARGET, _NUMBER, _DIGESTS = 5, 6, 7, 10  # columns of an event
_WITH_WORKSTATION = ("answer", "late-answer", "reconcile")

type Lists = Mapping[type[Model], Sequence[Any]]


def tell_rows(*, lists: Lists) -> None:
    """Let each event tell what the rows that it changed are now, at the end of their story: the newest is what counts.

    All rows but the events are in the database.
    """
    teller = _Teller(lists)
    for event in lists[models.Event]:
        if event[_NUMBER] is not None:
            event[_DIGESTS] = teller.tell(event)


class _Teller:
    """The digests of a batch's rows, found by what an event says of them."""

    def __init__(self, lists: Lists) -> None:
        self._key = keys.get_key()
        self._words = {kind: self._digest(kind, lists[model]) for kind, model in _KINDS.items()}
        self._attempts = {(row[1], row[2]): row[0] for row in lists[models.Attempt]}
        self._late = {row[1]: row[0] for row in lists[models.LateAnswer]}

    def _digest(self, kind: str, rows: Sequence[Any]) -> dict[int, str]:
        words = {}
        for part in batched((row[0] for row in rows), _AT_ONCE):
            for number, row in rowdigests.read_rows(kind=kind, ids=part).items():
                digest = rowdigests.digest_row(kind=kind, number=number, row=row, secret=self._key.secret)
                words[number] = f"{kind}:{number}:{digest}"
        return words

    def tell(self, event: Sequence[Any]) -> str:
        """What the event keeps."""
        number, verb, (what, *_, name) = event[_NUMBER], event[_VERB], event[_TARGET].split(" ")
        told = [] if what == "workstation" else [("request", number)]
        if what == "attempt":
            attempt = self._attempts[number, int(name)]
            told = [("attempt", attempt), *told]
            if verb == "late-answer":
                told = [("late-answer", self._late[attempt]), *told]
        # A workstation has the id of its request, and so has a workspace that was made with it.
        if what == "workstation" or verb in _WITH_WORKSTATION:
            told += [("workstation", number), ("workspace", number)]
        return " ".join([self._key.id, *(self._words[kind][row] for kind, row in told if row in self._words[kind])])
