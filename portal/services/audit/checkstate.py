"""How far the audit log has been checked: signed, for else whoever writes there could lead each check past a change.

What is signed can still be put back to what it was. So each process remembers how far it was itself; and that all has
been checked is an event, which nobody can make up, put back or date anew.
"""

import copy
from datetime import datetime

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, reading, signatures
from portal.services.runtime.process import MEMORY

What = models.LogCheck.What

_WHAT = "check"
_FORM = canonical.Form(
    model=models.LogCheck, names=("what", "begun_at", "ended_at", "phase", "position", "rounds", "signature")
)


def find_state(*, what: What) -> models.LogCheck | None:
    """The state as it is stored; None where the portal has not written it so."""
    for row in canonical.read_rows(form=_FORM, where="what = %s", values=[what.value], limit=1):
        if signatures.check(signature=row[-1], what=_WHAT, values=row[:-1]) is signatures.Verdict.AUTHENTIC:
            _, begun_at, ended_at, *others = row
            times = [time and datetime.fromisoformat(f"{time}+00:00") for time in (begun_at, ended_at)]
            return models.LogCheck(**dict(zip(_FORM.names, [what, *times, *others], strict=True)))
    return None


def read_state(*, what: What) -> tuple[models.LogCheck, bool]:
    """Where to go on, and whether that is where the portal was: else somebody has written over it, or put it back."""
    stored, seen = find_state(what=what), MEMORY.checks.get(what)
    if stored is not None and (seen is None or stored.rounds >= seen.rounds):
        return stored, True
    # That nothing is stored is as it should be only where nothing ever was.
    is_first = seen is None and not models.LogCheck.objects.filter(what=what).exists() and find_whole() is None
    return copy.copy(seen) or models.LogCheck(what=what), is_first


def keep_state(*, check: models.LogCheck) -> None:
    """Store it, signed. The caller remembers it once it is committed."""
    check.rounds += 1
    values = [canonical.fit(value=getattr(check, name)) for name in _FORM.names[:-1]]
    check.signature = signatures.sign(what=_WHAT, values=[str(check.what), *values[1:]])
    check.save()


def remember_state(*, check: models.LogCheck) -> None:
    """What was stored is from now on the least that this process takes for the portal's."""
    MEMORY.checks[What(check.what)] = copy.copy(check)


def describe_end(*, check: models.LogCheck) -> dict[str, object]:
    """What the event tells of a check of everything that has come to its end: a checkpoint in the log itself."""
    newest = models.Seal.objects.defer("marks").order_by("-number").first()
    seal = {"seal_number": newest.number, "seal_digest": newest.digest} if newest else {}
    return {"begun_at": check.begun_at.isoformat() if check.begun_at else "", **seal}


def find_whole() -> reading.StoredEvent | None:
    """The event of the newest check of everything that came to its end."""
    return reading.find_newest_of(verb=Verb.CHECKED)


def find_last(*, what: What) -> datetime | None:
    """When what was checked last; where nothing was, since when there has been something to check. None: nothing is.

    Of everything that is when a check began that came to its end.
    """
    if what == What.ALL:
        if (whole := find_whole()) is not None:
            return datetime.fromisoformat(whole.row[canonical.EVENT.names.index("detail")]["begun_at"])
    elif (state := find_state(what=what)) is not None:
        return state.ended_at or state.begun_at
    oldest = reading.read_authentic(after=reading.LOWEST, until=2**63 - 1, limit=1)
    return datetime.fromisoformat(f"{oldest[0][1]}+00:00") if oldest else None
