"""The audit log is verified each night without being asked, and by day where an auditor has asked for it."""

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.audit import events, protection, verify
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

MOST_KEPT = 100  # findings: `verify_audit` names them all
_LEAST_BETWEEN = timedelta(minutes=10)  # the beginnings of two checks
_NIGHT = range(1, 6)  # hours in the site's zone, in which few need the database
_NIGHT_LENGTH = timedelta(hours=5)
_OVERDUE = timedelta(hours=24)
_NOT_CHECKED = timedelta(hours=48)  # a warning


def check_log() -> None:
    """Verify the audit log where that is due. Where the worker ends first, it is done again by the next."""
    check = read_check()
    begun_at = clock.read_clock()
    if not _is_due(check, now=begun_at):
        return
    with leases.transaction():
        check, _ = models.LogCheck.objects.update_or_create(pk=1, defaults={"begun_at": begun_at})
    report = verify.verify_log(rows=True, on_step=leases.renew_lease)
    faults = protection.find_faults()
    looked_at = ("seals", "events", "pruned", "unsealed", "rows", "not_judged")
    check.counts = {name: getattr(report, name) for name in looked_at} | {"findings": report.count + len(faults)}
    check.findings = [str(words) for words in (*report.findings, *faults)][:MOST_KEPT]
    _end(check)


def ask_check(*, actor: models.User) -> None:
    """Have a worker verify the audit log soon; asked twice, it is verified once."""
    models.LogCheck.objects.get_or_create(pk=1)
    models.LogCheck.objects.filter(asked_at=None).update(asked_at=Now(), asked_by=actor)


def read_check() -> models.LogCheck:
    """What the last verification found; an empty row before the first."""
    return models.LogCheck.objects.select_related("asked_by").first() or models.LogCheck()


def count_newer() -> int:
    """How many events there are since the last check, its own included."""
    last = models.Event.objects.filter(verb=Verb.CHECKED).order_by("-id").first()
    return models.Event.objects.filter(pk__gte=last.pk).count() if last else 0


def find_warnings(*, now: datetime) -> list[str]:
    """What watchers of the portal should know of the last check; never a reason not to serve."""
    check = read_check()
    warnings = []
    if check.found:
        warnings.append(f"{_say_broken(check)} Run `manage.py verify_audit`.")
    if check.ended_at is not None and now - check.ended_at > _NOT_CHECKED:
        warnings.append(f"The audit log has not been checked since {check.ended_at:%Y-%m-%d %H:%M} UTC.")
    return warnings


def _is_due(check: models.LogCheck, *, now: datetime) -> bool:
    if check.begun_at is None:
        return True
    age = abs(now - check.begun_at)
    is_night = now.astimezone(timezone.get_default_timezone()).hour in _NIGHT
    is_wanted = check.asked_at is not None or check.is_under_way
    return age >= _OVERDUE or (is_night and age >= _NIGHT_LENGTH) or (is_wanted and age >= _LEAST_BETWEEN)


@leases.transaction()
def _end(check: models.LogCheck) -> None:
    check.ended_at = clock.read_clock()
    check.save(update_fields=["ended_at", "counts", "findings"])
    # Whoever has asked meanwhile gets another check.
    models.LogCheck.objects.filter(asked_at=check.asked_at).update(asked_at=None, asked_by=None)
    asked = {"asked_by": check.asked_by.get_username()} if check.asked_by else {}
    events.record(Verb.CHECKED, "the audit log", detail={**check.counts, **asked})
    if check.found:
        logger.error("%s The first: %s", _say_broken(check), check.findings[0])


def _say_broken(check: models.LogCheck) -> str:
    return f"The audit log is not intact: {check.found} finding{'' if check.found == 1 else 's'}."
