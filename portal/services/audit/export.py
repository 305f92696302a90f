"""The whole audit log as JSON, in the order in which it is verified."""

from collections.abc import Iterator

from portal.services.audit import reading, seals, signatures, tombstones

_SEALS = 100  # read at once


def walk_log() -> Iterator[dict[str, object]]:
    """Tombstones; what stayed of pruned seals; then each seal behind its events; then the events that no seal has."""
    yield from (signatures.describe_row(row=tombstone) for tombstone in tombstones.walk_tombstones())
    start = tombstones.find_start()
    number, after = start.number, reading.LOWEST
    while page := seals.read_seals(after=number, limit=_SEALS):
        for seal in page:
            yield from (event.describe() for event in reading.walk_events(after=after, until=seal.last_id))
            yield signatures.describe_row(row=seal)
            number, after = seal.number, max(after, seal.last_id)
    yield from (event.describe() for event in reading.walk_events(after=after))
