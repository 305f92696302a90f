"""What `/api/` tells, in its own JSON."""

from datetime import date, datetime
from typing import Annotated, Any

from ninja import Field, Schema
from pydantic import BeforeValidator

from portal import models
from portal.api import outcomes

Text = Annotated[str, BeforeValidator(str)]  # also of a text that waits for its reader's language


class Problem(Schema):
    """Why a call was refused, by RFC 9457."""

    title: str
    status: int
    detail: str


class FailureOut(Schema):
    """Why a request failed, and whose turn it is."""

    code: str
    title: Text
    cause: Text
    whose_turn: Text = Field(alias="actor.words")
    next_steps: list[Text] = Field(alias="steps")
    may_exist: bool


class StepOut(Schema):
    title: Text
    state: str
    text: Text
    quote: Text
    at: datetime | None
    seconds: float | None = Field(alias="took")


class RequestOut(Schema):
    """`question`: what a person is asked about it, where nobody but a person can decide."""

    number: int = Field(alias="pk")
    page: str
    requester: str = Field(alias="requester.username")
    type: str
    workspace: str = Field(alias="workspace_uid")
    lifetime: str
    note: str
    status: str
    failure: FailureOut | None = Field(alias="failure_row")
    question: str = Field(alias="operator_note")
    created_at: datetime
    ended_at: datetime | None
    workstation: str | None

    @staticmethod
    def resolve_page(row: models.Request) -> str:
        return outcomes.name_page(f"/requests/{row.pk}/")

    @staticmethod
    def resolve_workstation(row: models.Request) -> str | None:
        workstation = getattr(row, "workstation", None)
        return workstation and workstation.uid


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

    @staticmethod
    def resolve_cause(key: models.Key) -> str:
        return key.cause_title if key.is_paused else ""


class LimitOut(Schema):
    of: str
    count: int
    most: int


class DayOut(Schema):
    """How many requests of a day have which status, type and failure."""

    day: date
    status: dict[str, int] = {}
    type: dict[str, int] = {}
    failure: dict[str, int] = {}


class LifetimeIn(Schema):
    lifetime: str


class EndOut(Schema):
    ends_at: datetime | None
