"""The circuit breaker of the key, for the whole team: ACTIVE, PAUSED, or RESUMING with one attempt at a time."""

import logging
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal import failures, models
from portal.db import clock
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import accounts, key_lock, pace, steady_clock
from portal.services.runtime import workers

logger = logging.getLogger(__name__)

FAILURE_THRESHOLD = 3  # failures in a row, where the catalogue says "several"
_LONGEST_PAUSE = 300.0  # seconds; the first lasts two retry delays, each next in a row twice as long
_FIRST_PROBE, _LONGEST_PROBE = 10.0, 600.0  # seconds between probes, which double too
# Of this process: no step of a clock moves them.
_PAUSE_LEFT, _PROBE_LEFT = steady_clock.Countdown(), steady_clock.Countdown()


class PauseRefused(Exception):
    """The key is not paused, or not in this way; the message is fit for the person."""


def get_key(*, account: models.Account) -> models.Key:
    """The key of the account, unlocked: what it says may be over at once."""
    return models.Key.objects.select_related("account").get(account=account)


def get_current_key() -> models.Key:
    """The state of the key of the account that this process serves, to be looked at: one query, for every page."""
    return show_key(key=accounts.get_current_account().key)


def show_key(*, key: models.Key) -> models.Key:
    """The key to be shown, not saved: a timed pause that is over is none, though the next claim or probe ends it."""
    if key.is_paused and key.paused_until is not None and key.paused_until <= clock.read_clock():
        key.state, key.pause_ended_at = models.Key.State.RESUMING, key.paused_until
        key.paused_at = key.paused_until = None
    return key


def stops_all_calls(*, key: models.Key) -> bool:
    """Whether the pause stops reads and releases too, and not only what would cost money.

    With a refused key, or another account's, the provider would show nothing of ours; and a database that moved may
    hold wishes that were fulfilled long ago.
    """
    return key.asks_operator or (key.is_paused and key.failure is not None and key.failure.stops_reads)


def end_timed_pause(*, key: models.Key, now: datetime) -> None:
    """End the locked key's pause where its time has come: by what was left of it when this process first saw it."""
    if not key.is_paused or key.paused_until is None:
        return
    left = min((key.paused_until - now).total_seconds(), key.pause_seconds)
    if _PAUSE_LEFT.is_over(what=(key.pk, key.paused_until), left=left):
        end_pause(key=key, now=now)


def note_success(*, key: models.Key, attempt: models.Attempt) -> None:
    """A workstation was made with the locked key: it is active again if the attempt was claimed while it resumed."""
    if not _counts(key=key, attempt=attempt):
        return
    if key.is_resuming:
        detail = {"cause": key.cause, "before": key.state, "after": models.Key.State.ACTIVE}
        key.state, key.cause, key.resumed_by_probe = models.Key.State.ACTIVE, "", False
        key.consecutive_failures = key.consecutive_pauses = 0
        key.save()
        audit.record(Verb.ACTIVATE, key, detail=detail)
        transaction.on_commit(partial(logger.info, "Sending goes on as usual."))
        workers.wake_workers()
    elif key.consecutive_failures or key.consecutive_pauses:
        key.change(consecutive_failures=0, consecutive_pauses=0)


def note_failure(
    *, key: models.Key, attempt: models.Attempt, failure: failures.Failure, now: datetime, retry_after: float | None
) -> bool:
    """Pause the locked key where the catalogue says so.

    Returns whether the request is spared: another one has failed in this way, and the key was paused for it.
    """
    was_active = key.state == models.Key.State.ACTIVE
    if not _counts(key=key, attempt=attempt):
        return failure.pause.is_lasting or failure.pause is failures.Pause.UNLESS_OTHERS_PASS
    if failure.pause.is_lasting:
        has_paused = _pause_for_operator(key=key, failure=failure, now=now, number=attempt.request_id)
        return not (was_active and has_paused)
    if failure.pause is failures.Pause.UNTIL_RETRY_AFTER:
        # None said, or none left: asked at once with each refusal, the queue would run in a circle.
        seconds = retry_after or _choose_length(key)
        seconds = min(seconds, pace.LONGEST_RETRY_AFTER)
        _pause_for(key=key, failure=failure, now=now, seconds=seconds, number=attempt.request_id)
    elif failure.pause.counts_in_a_row:
        return _note_in_a_row(key=key, attempt=attempt, failure=failure, now=now)
    elif key.consecutive_failures:  # the provider answered sensibly: the row is broken
        key.change(consecutive_failures=0)
    return False


def _note_in_a_row(*, key: models.Key, attempt: models.Attempt, failure: failures.Failure, now: datetime) -> bool:
    """Pause for a while at the third failure in a row, and at each that follows such a pause. Returns as note_failure.

    Where what refuses everybody is not documented, it may not end by itself: an operator has to look.
    """
    if failure is failures.NOT_SENT and _is_counted(attempt):
        return False
    is_spared = key.is_paused and failure.pause is failures.Pause.UNLESS_OTHERS_PASS
    key.change(consecutive_failures=key.consecutive_failures + 1)
    fails_again, number = key.is_resuming and key.cause == failure.code, attempt.request_id
    if fails_again and failure.pause is failures.Pause.UNLESS_OTHERS_PASS and _is_another(attempt):
        _pause_for_operator(key=key, failure=failure, now=now, number=number)
    elif fails_again or (not key.is_paused and key.consecutive_failures >= FAILURE_THRESHOLD):
        _pause_for(key=key, failure=failure, now=now, seconds=_choose_length(key), number=number)
    return is_spared


def _is_counted(attempt: models.Attempt) -> bool:
    """Whether another attempt has met the same delay: one slow commit keeps all from being sent that it claims."""
    unsent = models.Attempt.objects.filter(outcome=models.Attempt.Outcome.NOT_SENT, ended_tick__gt=attempt.claimed_tick)
    return unsent.filter(request__account=attempt.request.account_id).exclude(pk=attempt.pk).exists()


def _is_another(attempt: models.Attempt) -> bool:
    """Whether the last attempt that met the same failure was another person's, or of another type."""
    same = models.Attempt.objects.filter(failure=attempt.failure, request__account=attempt.request.account_id)
    last = same.exclude(pk=attempt.pk).select_related("request").order_by("-ended_tick").first()
    mine = (attempt.request.requester_id, attempt.request.type)
    return last is not None and (last.request.requester_id, last.request.type) != mine


def _counts(*, key: models.Key, attempt: models.Attempt) -> bool:
    """Only attempts claimed after the last pause ended say something of the key."""
    return attempt.claimed_tick >= key.resumed_tick


def _pause_for_operator(
    *, key: models.Key, failure: failures.Failure, now: datetime, number: int | None, is_probe: bool = False
) -> bool:
    # Refused right after a probe that passed: probes prove nothing here, a person must look.
    is_probed = failure.pause is failures.Pause.UNTIL_ACCEPTED
    probes_help = is_probed and (is_probe or not (key.is_resuming and key.resumed_by_probe))
    if key.is_paused and key.paused_until is None:
        return False
    if probes_help:
        key.probes, key.probe_at = 0, now + timedelta(seconds=_FIRST_PROBE)
    _pause(key=key, cause=failure.code, now=now, operator_only=not probes_help, number=number)
    return True


def _pause_for(*, key: models.Key, failure: failures.Failure, now: datetime, seconds: float, number: int) -> None:
    """A timed pause never replaces an operator's, nor an earlier end a later one."""
    until = now + timedelta(seconds=seconds)
    if key.is_paused and (key.paused_until is None or until <= key.paused_until):
        return
    if not key.is_paused:
        key.consecutive_pauses += 1
    _pause(key=key, cause=failure.code, now=now, until=until, number=number)


def _pause(
    *,
    key: models.Key,
    cause: str,
    now: datetime,
    until: datetime | None = None,
    operator_only: bool = False,
    number: int | None = None,
    actor: models.User | None = None,
    reason: str = "",
) -> None:
    change = {"before": key.state, "after": models.Key.State.PAUSED}
    key.state, key.cause, key.paused_until = models.Key.State.PAUSED, cause, until
    key.pause_seconds = (until - now).total_seconds() if until else 0.0
    # Where one pause takes the place of another, the team has waited since the first.
    key.paused_at, key.operator_only = key.paused_at or now, operator_only
    key.probe_at = None if operator_only or until else key.probe_at
    key.save()
    detail = {"cause": cause, "until": until.isoformat() if until else None, "request": number, **change}
    audit.record(Verb.PAUSE, key, by=actor, reason=reason, detail=detail)
    end = f"{until:%Y-%m-%d %H:%M:%S} UTC" if until else key.describe_end()
    transaction.on_commit(partial(logger.warning, "Sending is paused until %s: %s.", end, key.cause_clause))


def pause_with_question(*, key: models.Key, cause: str, now: datetime) -> None:
    """Pause the locked key with a question to operators, which only its own answer ends."""
    _pause(key=key, cause=cause, now=now, operator_only=True)


@transaction.atomic
def pause_key(*, actor: models.User, account: models.Account, reason: str) -> None:
    """Pause sending until an operator resumes it. Raises PauseRefused where it waits for an operator already."""
    key = key_lock.lock_key(account=account)
    if key.is_paused and key.paused_until is None:
        raise PauseRefused(_("Requests are already paused, until %(end)s.") % {"end": key.describe_end()})
    _pause(key=key, cause="by-operator", now=clock.read_clock(), operator_only=True, actor=actor, reason=reason)


def end_pause(*, key: models.Key, now: datetime, actor: models.User | None = None, by_probe: bool = False) -> None:
    """End the locked key's pause: from now on one attempt at a time, until one succeeds."""
    change = {"before": key.state, "after": models.Key.State.RESUMING}
    if key.paused_at is not None:
        key.paused_seconds += max(0.0, (now - key.paused_at).total_seconds())
    key.state, key.paused_at, key.paused_until = models.Key.State.RESUMING, None, None
    key.pause_ended_at, key.resumed_by_probe, key.operator_only, key.probe_at = now, by_probe, False, None
    key.consecutive_failures = 0
    # What was claimed before says nothing of the key from now on.
    key.tick += 1
    key.resumed_tick = key.tick
    key.save()
    detail = {"cause": key.cause, "by_probe": by_probe, **change}
    audit.record(Verb.RESUME, key, by=actor, detail=detail)
    transaction.on_commit(partial(logger.info, "Sending goes on, one request at a time until one succeeds."))


def _choose_length(key: models.Key) -> float:
    return _double(2 * settings.PORTAL_RETRY_DELAY, key.consecutive_pauses, _LONGEST_PAUSE)


def _double(first: float, times: int, most: float) -> float:
    return min(first * 2.0 ** min(times, 20), most)


def find_stopping_request(*, key: models.Key) -> int | None:
    """The number of the request whose answer paused the key, if one did."""
    if not key.is_paused:
        return None
    event = models.Event.objects.filter(verb=Verb.PAUSE, at__gte=key.paused_at).order_by("-id").first()
    return event.detail.get("request") if event else None


@transaction.atomic
def resume_key(*, actor: models.User, account: models.Account) -> None:
    """End a pause. Raises PauseRefused where there is none, or where a new key has to be confirmed first."""
    key = key_lock.lock_key(account=account)
    if not key.is_paused:
        raise PauseRefused(_("Requests are no longer paused: somebody has already resumed sending."))
    if key.asks_operator:
        raise PauseRefused(
            _("Sending can't be resumed here: it resumes when %(end)s. The status page asks.")
            % {"end": key.describe_end()}
        )
    end_pause(key=key, actor=actor, now=clock.read_clock())
    workers.wake_workers()


def request_probe(*, key: models.Key) -> None:
    """Have a worker probe the locked key. One that is under way may have been answered before: another follows it."""
    if not key.is_paused:
        key.change(probes=0, probe_at=clock.read_clock())


def claim_probe(*, account: models.Account) -> models.Key | None:
    """Take the probe that is due, if one is, and put off the next one, so that no two are made at once.

    Returns the key as it is then: with the probe's number, and the pause in which it is made, if in one.
    """
    with key_lock.holding(account=account) as key:
        now = clock.read_clock()
        end_timed_pause(key=key, now=now)
        if key.probe_at is None:
            return None
        left = min((key.probe_at - now).total_seconds(), _probe_interval(key))
        if not _PROBE_LEFT.is_over(what=(key.pk, key.probe_at), left=left):
            return None
        key.probes += 1
        key.probe_at = now + timedelta(seconds=_probe_interval(key))
        key.save(update_fields=["probes", "probe_at"])
        return key


def _probe_interval(key: models.Key) -> float:
    return _double(_FIRST_PROBE, key.probes, _LONGEST_PROBE)


def note_probe(*, account: models.Account, probe: models.Key, failure: failures.Failure | None) -> None:
    """What a probe found. One that passed ends the pause in which it was made, unless that has become an operator's;
    one whose key was refused begins one. Of another pause it says nothing."""
    with key_lock.holding(account=account) as key:
        audit.record(Verb.PROBE, key, detail={"passed": failure is None}, rows=())
        if key.probe_at is None or key.paused_at != probe.paused_at:
            return
        now = clock.read_clock()
        if key.is_paused:
            if failure is None:
                end_pause(key=key, now=now, by_probe=True)
                workers.wake_workers()
        elif failure is not None and failure.pause.is_lasting:
            _pause_for_operator(key=key, failure=failure, now=now, number=None, is_probe=True)
        elif failure is None and key.probes == probe.probes:
            key.change(probe_at=None)
