"""What a program is told of its workstations and requests: in the provider's own JSON, as far as there is any."""

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse

from portal import failures, models
from portal.api.answers import AGAIN, make_error


def name_page(path: str) -> str:
    """The whole address of a page; a path without PORTAL_URL, but by `make run`, which has pages on another port."""
    local = f"http://{settings.PORTAL_BIND}:{settings.PORT}" if settings.PORTAL_LOCAL else ""
    return (settings.PORTAL_URL or local) + path


def describe_workstation(stored: models.Workstation, *, person: models.User) -> dict[str, Any]:
    """The workstation as the provider described it last; without the contents of a workspace that is another's."""
    document: dict[str, Any] = json.loads(stored.raw)
    workspace = document.get("workspace")
    if isinstance(workspace, dict) and stored.workspace and stored.workspace.owner_id != person.pk:
        document["workspace"] = {name: one for name, one in workspace.items() if name not in ("files", "logs")}
    if stored.ended_at and stored.status not in stored.ENDED_STATUSES:
        document["status"] = "completed"  # nobody asks the provider about one again that it has released
    return document


def describe_progress(portal_request: models.Request) -> HttpResponse:
    """For who does not wait: sending the same again, with the same key, is how to ask."""
    document = {"request": portal_request.label, "status": portal_request.status.lower()}
    headers = _find_headers(portal_request) | _find_pause(portal_request) | {"Preference-Applied": "respond-async"}
    return JsonResponse(document, status=202, headers=headers)


def _find_headers(portal_request: models.Request) -> dict[str, str]:
    page = name_page(f"/requests/{portal_request.pk}/")
    status = portal_request.status.lower()
    return {"X-Portal-Request": portal_request.label, "X-Portal-Page": page, "X-Portal-Status": status}


def _find_pause(portal_request: models.Request) -> dict[str, str]:
    """What a person decides takes longer."""
    return {"Retry-After": "60"} if portal_request.needs_review else AGAIN


def describe_request(portal_request: models.Request) -> HttpResponse:
    """What became of it: the workstation, the provider's refusal as it came, or that it is not known yet."""
    label, states, headers = portal_request.label, models.Request.Status, _find_headers(portal_request)
    match portal_request.status:
        case states.SUCCEEDED:
            person = portal_request.requester
            return JsonResponse(describe_workstation(portal_request.workstation, person=person), headers=headers)
        case states.FAILED:
            return _describe_refusal(portal_request, headers)
        case states.CANCELLED:
            return make_error(503, f"{label} was cancelled, and nothing was made for it.", headers)
        case states.QUEUED:
            return make_error(503, f"{label} still waits for its turn: the same key finds it again.", headers | AGAIN)
    words = f"it is not known yet what became of {label}: ask for the same again."
    if portal_request.needs_review:
        words = f"a person has to decide what became of {label}, at {headers['X-Portal-Page']}: ask for the same again."
    return make_error(504, words, headers | _find_pause(portal_request))


def _describe_refusal(portal_request: models.Request, headers: Mapping[str, str]) -> HttpResponse:
    attempt = portal_request.attempts.select_related("late_response").order_by("-number").first()
    came: models.Attempt | models.LateResponse | None = getattr(attempt, "late_response", attempt)
    failure = portal_request.failure_row or failures.NO_ANSWER
    if came and came.failure == failure.code and came.http_status and 400 <= came.http_status < 600:
        # A gateway's page has no words of the provider's, and is no JSON.
        if came.response and (came.error or came.message):
            return HttpResponse(bytes(came.response), "application/json", came.http_status, headers=headers)
        return make_error(came.http_status, "", headers)
    status = 504 if failure.may_exist else 422 if failure.refuses_workspace else 503
    return make_error(status, f"{portal_request.label} has failed: {failure.title}.", headers)
