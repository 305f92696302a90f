"""Doubts: workstations that AgentStation no longer finds, though nothing has shown that they ended."""

from portal import models
from portal.models.clock import Now
from portal.services import audit, keyhold


def begin_doubt(*, key: models.Key, stored: models.Workstation, why: str) -> None:
    """Note under the locked key that a live workstation was not found. `why` names the call that did not find it."""
    if stored.ended_at is not None or stored.doubted_at is not None:
        return
    stored.doubted_at, stored.doubted_tick = Now(), keyhold.advance_tick(key=key)
    stored.save(update_fields=["doubted_at", "doubted_tick"])
    audit.record_event(
        actor=None,
        verb="begin-doubt",
        target=stored,
        request_number=stored.request_id,
        detail={"why": why, **audit.describe_moment(row=stored, column="doubted_at")},
    )


def clear_doubt(*, stored: models.Workstation) -> None:
    """Note that a workstation in doubt was seen alive."""
    if stored.doubted_at is None:
        return
    before = stored.doubted_at.isoformat()
    stored.doubted_at = stored.doubted_tick = None
    stored.save(update_fields=["doubted_at", "doubted_tick"])
    audit.record_event(
        actor=None,
        verb="clear-doubt",
        target=stored,
        request_number=stored.request_id,
        detail={"before": {"doubted_at": before}, "after": {"doubted_at": None}},
    )
