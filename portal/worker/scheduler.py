"""The scheduler of a worker's jobs: each has a thread, and a lease, so that one worker at a time does it."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from portal import agentstation
from portal.db import describe_failure, release_connection
from portal.services.audit import destinations, nightly, seals, stream
from portal.services.connections import ending
from portal.services.key import accounts, credentials, database_moved, steady_clock
from portal.services.lives import carrying_out
from portal.services.mirrors import refreshing, types
from portal.services.notifications import channels, delivery, lasting, telling
from portal.services.people import mail, sessions
from portal.services.reconciliation import reconcile, timeouts
from portal.services.reports import usage
from portal.services.retention import prune
from portal.services.runtime import leases, workers
from portal.worker import watchdog

logger = logging.getLogger(__name__)

type Step = Callable[[watchdog.WatchedThread], None]

LEASE = 15.0  # seconds; the job of a worker that died is taken over after that
_HEARTBEAT = 5.0  # seconds
_DEADLINE = 1800.0  # seconds without progress; a lease is lost much sooner, to whichever worker can do better
_STOP_WITHIN = 5.0  # seconds; what a job has not finished by then is undone by the database


@dataclass(frozen=True)
class Job:
    """Something done every `interval` seconds. `run` does one bounded round and renews its lease at each step.

    One that `uses_key` calls the provider, and is leased only where the key is known to be the account's, which it
    checks itself before each call. A lease outlasts one call, of `call_seconds` where something else is called.
    """

    name: str
    interval: float
    run: Callable[[], object]
    uses_key: bool = False
    call_seconds: float = 0.0

    @property
    def lease_seconds(self) -> float:
        return LEASE + self.interval + (settings.AGENTSTATION_TOTAL_TIMEOUT if self.uses_key else self.call_seconds)


def list_jobs(*, client: agentstation.Client) -> list[Job]:
    interval = settings.PORTAL_JOB_INTERVAL
    watched, steady, of_ends, of_mail = (steady_clock.SteadyClock() for _ in range(4))
    reconcile_requests = partial(reconcile.reconcile_requests, client=client, steady=steady)
    refresh = partial(refreshing.refresh_workstations, client=client)
    return [
        Job("recover", 2 * interval, partial(timeouts.expire_overdue, watched=watched)),
        Job("reconcile", interval, reconcile_requests, uses_key=True),
        Job("probe", min(interval, 2.0), partial(credentials.probe_key, client=client), uses_key=True),
        Job("refresh", min(settings.PORTAL_REFRESH_INTERVAL, 2.0), refresh, uses_key=True),
        # The list seldom changes: two minutes.
        Job("types", 24 * interval, partial(types.read_types, client=client), uses_key=True),
        Job("connections", interval, ending.end_silent),
        Job("ends", 2 * interval, partial(carrying_out.carry_out_ends, watched=of_ends)),
        Job("notify", 2 * interval, partial(telling.tell_people, seen=set())),
        Job("late", 12 * interval, partial(delivery.settle_late, watched=of_mail)),
        Job("lasting", 12 * interval, lasting.note_lasting),
        # Days end seldom; what is not sealed yet is at most a minute old; and whether a check is due is soon seen.
        Job("usage", 12 * interval, usage.count_days),
        Job("seal", 12 * interval, seals.seal_events),
        Job("check", 12 * interval, nightly.check_log),
        # A few thousand requests in each round are about a million a day.
        Job("sessions", 60 * interval, sessions.prune_sessions),
        Job("prune", 60 * interval, prune.prune_old),
        *_list_sending_jobs(interval),
    ]


def _list_sending_jobs(interval: float) -> Iterator[Job]:
    """What leaves by other ways than the provider's API, where such are set."""
    if mail.is_set_up():
        yield Job("mail", interval, delivery.send_mails, call_seconds=2 * mail.LONGEST + mail.PATIENCE)
    if settings.PORTAL_AUDIT_STREAM:
        log = stream.Stream(destination=destinations.make_destination())
        send = partial(log.send_events, is_unchanged=database_moved.may_tell)
        yield Job("stream", interval, send, call_seconds=destinations.LONGEST)
    for url in settings.PORTAL_NOTIFY_URLS:  # one each: a channel that is slow makes no other wait
        name, send = f"notify-{channels.make_fingerprint(url=url)}", partial(delivery.send_to_channel, url=url)
        yield Job(name, interval, send, call_seconds=channels.LONGEST)


class Scheduler(watchdog.Part):
    """Does jobs until it is stopped, and shows that the worker lives."""

    def __init__(self, *, name: str, jobs: list[Job]) -> None:
        self._name = name
        self._held: dict[str, leases.Lease] = {}  # by job; each thread knows only its own
        self._has_ended_dead = False
        steps: list[tuple[str, float, Step]] = [(job.name, job.interval, partial(self._do, job)) for job in jobs]
        super().__init__(
            watchdog.WatchedThread(name=step_name, target=partial(self._repeat, interval, step), deadline=_DEADLINE)
            for step_name, interval, step in [*steps, ("heartbeat", _HEARTBEAT, self._show_life)]
        )

    def stop(self) -> None:
        """End each job at its next step, and leave the leases to the next worker; one that hangs is not waited for."""
        super().stop()
        until = time.monotonic() + _STOP_WITHIN
        for thread in self.threads:
            thread.join(max(0.0, until - time.monotonic()))
        try:
            leases.drop_leases(holder=self._name)
        except DatabaseError as error:
            logger.warning("%s The leases expire by themselves.", describe_failure(error))

    def _repeat(self, interval: float, step: Step, thread: watchdog.WatchedThread) -> None:
        while not self._stopping.is_set():
            thread.advance()
            try:
                step(thread)
            except leases.LeaseLost as error:
                logger.info("A job has ended early: %s.", error)
            except DatabaseError as error:
                logger.warning("%s A job is tried again.", describe_failure(error))
                connection.close()
            except Exception:
                logger.exception("A job failed; it is tried again.")
            release_connection()
            thread.rest()
            self._stopping.wait(interval)

    def _show_life(self, thread: watchdog.WatchedThread) -> None:
        workers.note_worker(name=self._name)
        credentials.present_key(worker=self._name)
        if not self._has_ended_dead:  # once, however long the database is away at first
            timeouts.end_dead_workers(name=self._name)
            self._has_ended_dead = True

    def _do(self, job: Job, thread: watchdog.WatchedThread) -> None:
        lease = self._held.pop(job.name, None)
        if lease is None or not lease.is_fresh:
            lease = self._acquire(job, thread)
        if lease is not None:
            lease.run(job.run)
            # Not after an error: it may be that the lease is another worker's.
            self._held[job.name] = lease

    def _acquire(self, job: Job, thread: watchdog.WatchedThread) -> leases.Lease | None:
        if job.uses_key and not accounts.is_key_accepted(account=accounts.get_current_account()):
            return None
        return leases.acquire_lease(
            name=job.name, holder=self._name, seconds=job.lease_seconds, before_renewal=partial(self._go_on, thread)
        )

    def _go_on(self, thread: watchdog.WatchedThread) -> None:
        """Note a step of a job. Raises LeaseLost where the worker is stopping, which ends the job."""
        if self._stopping.is_set():
            raise leases.LeaseLost("this worker ends")
        thread.advance()
