"""The portal's own API, `/api/`: what the provider's has not. NinjaAPI reads what is asked for, and describes it."""

import errno
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import wraps
from http import HTTPStatus
from typing import Annotated, Any, NoReturn

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, resolve
from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.security import HttpBearer
from pydantic import BeforeValidator, Field

from portal import models
from portal.api import schemas
from portal.api.answers import Answer, Refusal
from portal.api.calls import Call, Route
from portal.services.key import accounts
from portal.services.lives import ends
from portal.services.mirrors import sanitize
from portal.services.people import policy
from portal.services.reports import timeline, usage
from portal.services.requests import fair_queue, running, submissions
from portal.services.search import exporting, finding, paging
from portal.services.tokens import tokens
from portal.web.streams import limit_streams

PREFIX = "/api/"
_MOST_DAYS = 366
_PROBLEMS = (400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 503)

_Word = Annotated[str, Field(pattern="^[0-9A-Za-z_-]{0,32}$")]  # the audit log has it
_Status = Annotated[models.Request.Status | None, BeforeValidator(str.upper)]
_Number = Annotated[int, Field(ge=0, le=models.MAX_ID)]
_Limit = Annotated[int, Field(ge=1, le=100)]
_Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2199, 12, 31))]


class Bearer(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Any:
        return request.user  # whose token it is was found out before


api = NinjaAPI(
    title="Workstation portal",
    version="1",
    docs_url=None,
    openapi_url=None,
    auth=Bearer(),
    description="What AgentStation's own API, below /v1, has not.",
)


def _refuse_unknown[R](view: Callable[..., R]) -> Callable[..., R]:
    """A misspelled filter must not look as if everything had passed it."""

    @wraps(view)
    def checked(request: HttpRequest, **values: Any) -> R:
        if unknown := ", ".join(sorted(request.GET.keys() - values)):
            raise Refusal(422, f"{unknown}: not one of the parameters here ({', '.join(values) or 'none'}).")
        return view(request, **values)

    return checked


api.add_decorator(_refuse_unknown)


@api.exception_handler(ValidationError)
def _refuse_wrong(request: HttpRequest, error: ValidationError) -> NoReturn:
    raise Refusal(422, "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors))


def _answer(call: Call) -> Answer:
    """Find the operation as Django finds a page, without the middleware of pages. Raises Refusal."""
    try:
        found = resolve(call.path_info, urlconf=__name__)
        answer: Answer = found.func(call, *found.args, **found.kwargs)
    except Http404:
        raise Refusal(404) from None
    if answer.status_code >= 400:
        headers = {name: answer.headers[name] for name in ("Allow", "Retry-After") if name in answer.headers}
        raise Refusal(answer.status_code, headers=headers)
    if answer.streaming:
        call.ends.append(lambda _is_sent: answer.close())
    return answer


_Scope = models.Token.Scope
_ALL = re.compile(f"{PREFIX}(?!openapi.json$).*")
ROUTES = (
    Route("GET", re.compile(f"{PREFIX}openapi.json"), None, _answer),
    Route("GET", _ALL, _Scope.READ, _answer),
    Route("POST", _ALL, _Scope.REQUEST, _answer),
)


@api.get("/openapi.json", include_in_schema=False, auth=None)
def describe(request: Call) -> dict[str, Any]:
    """Each operation has all problems; one that only reads is never refused by 409."""
    document = dict(api.get_openapi_schema(path_prefix=PREFIX))
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    document["components"]["schemas"]["Problem"] = schemas.Problem.model_json_schema()
    document["servers"] = [{"url": settings.PORTAL_URL or "/"}]
    problems = {one: {"description": HTTPStatus(one).phrase, "content": content} for one in _PROBLEMS}
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["operationId"] = operation["operationId"].removeprefix("portal_api_own_")
            operation["responses"] |= problems
    return document


def _list_visible(request: Call) -> QuerySet[models.Request]:
    return models.Request.objects.visible_to(request.user).select_related("requester", "workstation")


def _find_by(request: Call, lookups: dict[str, str]) -> paging.Find[int]:
    own = {} if request.user.has_perm("portal.see_all") else {"requester": request.user.pk}
    return lambda part: finding.find_requests(lookups=lookups | own, part=part)


@api.get("/requests", response=schemas.RequestsOut)
def list_requests(
    request: Call, status: _Status = None, type: _Word = "", before: _Number = models.MAX_ID, limit: _Limit = 50
) -> dict[str, Any]:
    found = paging.read_page(find=_find_by(request, _read_filters(status=status, type=type)), before=before, size=limit)
    return {"data": _list_visible(request).filter(pk__in=found.rows).order_by("-pk"), "before": found.older}


def _read_filters(**asked: str | None) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


@api.get("/requests/{int:number}", response=schemas.RequestDetailOut)
def read_request(request: Call, number: int) -> models.Request:
    """With its timeline, as on its page."""
    past = timeline.read_request_history(portal_request=_find_request(request, number))
    row = past.portal_request
    is_waiting = row.status == models.Request.Status.QUEUED
    position = fair_queue.find_position(portal_request=row) if is_waiting else None
    # Beside its columns, where the schema reads them.
    vars(row).update(position=position, timeline=timeline.list_steps(request_history=past))
    return row


def _find_request(request: Call, number: int) -> models.Request:
    return get_object_or_404(_list_visible(request), pk=min(number, models.MAX_ID))


@api.post("/requests/{int:number}/cancel", response=schemas.RequestOut)
def cancel_request(request: Call, number: int) -> models.Request:
    row = _find_request(request, number)
    if row.requester_id != request.user.pk:
        raise Refusal(404)
    try:
        submissions.cancel_request(actor=request.user, portal_request=row)
    except submissions.NotPossible as error:
        raise Refusal(409, str(error)) from None
    return _find_request(request, number)


@api.post("/workstations/{uid}/end", response=schemas.EndOut)
def change_end(request: Call, uid: str, asked: schemas.LifetimeIn) -> models.Workstation:
    """Have it end so long from now, such as 2h; none: never."""
    if not sanitize.is_storable(uid=uid):
        raise Refusal(404)
    rows = models.Workstation.objects.live().filter(account=accounts.get_current_account())
    row = get_object_or_404(rows, request__requester=request.user, uid=uid)
    try:
        ends.change_end(actor=request.user, workstation=row, lifetime=asked.lifetime)
    except ValueError:
        raise Refusal(422, "lifetime must be such as 2h, 90m or none.") from None
    except ends.NotChanged as error:
        raise Refusal(409, str(error)) from None
    row.refresh_from_db()
    return row


@api.get("/key", response=schemas.KeyOut)
def read_key(request: Call) -> models.Key:
    return accounts.get_current_account().key


@api.get("/limits", response=list[schemas.LimitOut])
def list_limits(request: Call) -> list[schemas.LimitOut]:
    """How many workstations there may be at once, and are; nothing where there is no limit."""
    uses = running.list_uses(decided=policy.read_policy(), account=accounts.get_current_account(), person=request.user)
    return [schemas.LimitOut(of="team" if use.is_team else "you", count=use.count, most=use.most) for use in uses]


@api.get("/usage", response=list[schemas.DayOut])
def read_usage(request: Call, since: _Day, until: _Day) -> list[dict[str, Any]]:
    """By day, of oneself, or of everybody for who may see all."""
    if not timedelta() <= until - since < timedelta(days=_MOST_DAYS):
        raise Refusal(422, f"since and until must be at most {_MOST_DAYS} days apart.")
    person = None if request.user.has_perm("portal.see_all") else request.user
    days = usage.read_usage(since=since, until=until, person=person)
    return [{"day": day, **days[day]} for day in sorted(days)]


@api.get("/events", response=schemas.EventsOut)
def list_events(
    request: Call, number: _Number | None = None, before: _Number = models.MAX_ID, limit: _Limit = 50
) -> dict[str, Any]:
    """The audit log, or what it has of one request, for who may see it."""
    if not request.user.has_perms(("portal.see_all", "portal.view_event")):
        raise Refusal(403, "only who may see the audit log may list events.")
    rows = models.Event.objects.all() if number is None else models.Event.objects.filter(request_number=number)
    found = paging.read_rows(rows=rows, before=before, size=limit)
    return {"data": found.rows, "before": found.older}


@api.get("/exports/requests.{form}")
@limit_streams
def export_requests(request: Call, form: str, status: _Status = None, type: _Word = "") -> StreamingHttpResponse:
    """All that one may see, as csv or jsonl, with the columns of docs/export.md; that is recorded."""
    if form not in exporting.CONTENT_TYPES:
        raise Refusal(404)
    asked = _read_filters(status=status, type=type)
    find = _find_by(request, asked)
    pieces = exporting.export_rows(actor=request.user, kind="requests", form=form, asked=asked, find=find)
    pieces = _while_living(request.token, pieces)
    return StreamingHttpResponse(pieces, content_type=exporting.CONTENT_TYPES[form])


def _while_living(token: models.Token, pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        if not tokens.list_living().filter(pk=token.pk).exists():
            # Cut off, as by a reader who is gone: the file does not look whole.
            raise ConnectionResetError(errno.ECONNRESET, "its token has ended")
        yield piece


urlpatterns = [path(PREFIX.strip("/") + "/", api.urls)]
