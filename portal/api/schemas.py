"""What `/api/` tells, in its own JSON."""

from datetime import date, datetime
from typing import Any, Self

from ninja import Schema

from portal import models
from portal.api import outcomes
from portal.services.reports import timeline


class FailureOut(Schema):
    """Why a request failed, and whose turn it is."""

    code: str
    title: str
    cause: str
    whose_turn: str
    next_steps: list[str]
    may_exist: bool


class StepOut(Schema):
    title: str
    state: str
    text: str
    quote: str
    at: datetime | None
    seconds: float | None

    @classmethod
    def describe(cls, step: timeline.Step) -> Self:
        texts = {name: str(getattr(step, name)) for name in ("title", "state", "text", "quote")}
        return cls(at=step.at, seconds=step.took, **texts)


class RequestOut(Schema):
    """`question`: what a person is asked about it, where nobody but a person can decide."""

    number: int
    page: str
    requester: str
    type: str
    workspace: str
    lifetime: str
    note: str
    status: str
    failure: FailureOut | None
    question: str
    created_at: datetime
    ended_at: datetime | None
    workstation: str | None

    @classmethod
    def describe(cls, row: models.Request, **more: Any) -> Self:
        """The row was read with its requester and its workstation."""
        workstation = getattr(row, "workstation", None)
        same = ("type", "lifetime", "note", "status", "created_at", "ended_at")
        return cls(
            number=row.pk,
            page=outcomes.name_page(f"/requests/{row.pk}/"),
            requester=row.requester.get_username(),
            workspace=row.workspace_uid,
            failure=_describe_failure(row),
            question=row.operator_note,
            workstation=workstation and workstation.uid,
            **{name: getattr(row, name) for name in same},
            **more,
        )


class RequestDetailOut(RequestOut):
    position: int | None
    timeline: list[StepOut]


class RequestsOut(Schema):
    """`before`: what to ask with for the next page; null on the last one."""

    data: list[RequestOut]
    before: int | None


class EventOut(Schema):
    id: int
    at: datetime
    actor_name: str
    verb: str
    target: str
    request_number: int | None
    reason: str
    detail: dict[str, Any]


class EventsOut(Schema):
    data: list[EventOut]
    before: int | None


class KeyOut(Schema):
    """Whether requests are sent; else why not, since when, and until when if that is known."""

    state: str
    cause: str
    paused_at: datetime | None
    paused_until: datetime | None


class LimitOut(Schema):
    of: str
    count: int
    most: int


class DayOut(Schema):
    """How many requests of a day have which status, type and failure."""

    day: date
    status: dict[str, int]
    type: dict[str, int]
    failure: dict[str, int]


class LifetimeIn(Schema):
    lifetime: str


class EndOut(Schema):
    ends_at: datetime | None


def _describe_failure(row: models.Request) -> FailureOut | None:
    failure = row.failure_row
    if failure is None:
        return None
    return FailureOut(
        code=failure.code,
        title=str(failure.title),
        cause=str(failure.cause),
        whose_turn=failure.actor.words,
        next_steps=[str(step) for step in failure.steps],
        may_exist=failure.may_exist,
    )
