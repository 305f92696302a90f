"""The worker's duties: each on a thread of its own, under a lease, so that one worker at a time does it."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from portal import agentstation
from portal.services import clock, credentials, leases, probe, recover, settle, usage, workers, workstations
from portal.services.audit import prune, seals

logger = logging.getLogger(__name__)

_LEASE = 15.0  # seconds; a worker that died is followed after that
_HEARTBEAT = 5.0  # seconds
_USAGE_ROUNDS = 12  # of other duties for one of counting: days end seldom
_SEAL_ROUNDS = 12  # likewise: what is not sealed yet is at most a minute old
_PRUNE_ROUNDS = 60  # a few thousand requests in each, so about a million a day


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something done from time to time; `interval` in seconds."""

    name: str
    interval: float
    run: Callable[[leases.Held], object]


def list_duties(*, client: agentstation.Client) -> list[Duty]:
    """All duties of a worker."""
    watched = clock.SteadyClock()
    return [
        Duty(
            name="recover",
            interval=settings.PORTAL_DUTY_INTERVAL,
            run=lambda held: recover.recover_requests(held=held, watched=watched),
        ),
        Duty(
            name="settle",
            interval=settings.PORTAL_DUTY_INTERVAL,
            run=lambda held: settle.settle_requests(held=held, client=client),
        ),
        Duty(
            name="probe",
            interval=min(settings.PORTAL_DUTY_INTERVAL, 2.0),
            run=lambda held: probe.probe_key(held=held, client=client),
        ),
        Duty(
            name="refresh",
            interval=min(settings.PORTAL_REFRESH_INTERVAL, 1.0),
            run=lambda held: workstations.refresh_workstations(held=held, client=client),
        ),
        Duty(
            name="usage",
            interval=_USAGE_ROUNDS * settings.PORTAL_DUTY_INTERVAL,
            run=lambda held: usage.count_usage(held=held),
        ),
        Duty(
            name="seal",
            interval=_SEAL_ROUNDS * settings.PORTAL_DUTY_INTERVAL,
            run=lambda held: seals.seal_events(held=held),
        ),
        Duty(
            name="prune",
            interval=_PRUNE_ROUNDS * settings.PORTAL_DUTY_INTERVAL,
            run=lambda held: prune.prune_record(held=held),
        ),
    ]


class Roster:
    """Runs duties until it is told to stop, and shows that the worker lives."""

    def __init__(self, *, name: str, duties: list[Duty]) -> None:
        self._name = name
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._repeat, args=(duty.interval, lambda duty=duty: self._do(duty)), name=duty.name
            )
            for duty in duties
        ]
        self._threads.append(
            threading.Thread(target=self._repeat, args=(_HEARTBEAT, self._show_life), name="heartbeat")
        )

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End each duty's round, start no other, and leave the leases to the next worker."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        try:
            leases.drop_leases(holder=self._name)
            workers.note_stopped(name=self._name)
        except DatabaseError:
            logger.warning("The database cannot be used; the leases expire by themselves.")

    def _repeat(self, interval: float, step: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                self._try(step)
                self._stopping.wait(interval)
        finally:
            connection.close()

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except leases.LeaseLost:
            logger.info("Another worker has taken this duty over.")
        except DatabaseError:
            logger.warning("A duty could not use the database; it is tried again.")
            connection.close()
        except Exception:
            logger.exception("A duty failed; it is tried again.")

    def _show_life(self) -> None:
        workers.note_worker(name=self._name)
        credentials.present_key(worker=self._name)
        leases.prolong_leases(holder=self._name, seconds=_LEASE)

    def _do(self, duty: Duty) -> None:
        held = leases.take_lease(name=duty.name, holder=self._name, seconds=_LEASE + duty.interval)
        if held is not None:
            duty.run(held)
