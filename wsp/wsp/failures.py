"""Why something was not done, in words for people, and the exit code that tells scripts."""

import re
from typing import Any

import httpx2

_STEPS = {
    401: "The team's API key has to be replaced: tell an operator of the portal.",
    402: "Ask the owner of the team's AgentStation account to add credit or update the payment method.",
    422: "Check the ID: upper and lower case matter, and it must be of a workstation of yours that still runs.",
}
_RENEW = 'Make a new token in the portal ("Settings", "Make a token") with {}, and sign in with it.'
_SCOPE = re.compile('error="insufficient_scope", *scope="(.+?)"')  # in WWW-Authenticate, by RFC 6750
_NOT_FOUND = "cannot find requested asset"  # the provider's words, where it has no better ones


class Failure(Exception):
    """`message` says what happened, `steps` what to do now; `status` is the portal's, where it gave a reason."""

    code = 1

    def __init__(self, message: str, *steps: str, status: int | None = None) -> None:
        super().__init__("\n".join(filter(None, (message, *steps))))
        self.status = status


class Refused(Failure):
    """By the portal or the provider."""


class WrongUse(Failure):
    code = 2


class NotSignedIn(Failure):
    code = 3


class NotSettled(Failure):
    """It is not known what became of it, or the time is over."""

    code = 4


class Unreachable(Failure):
    """Nothing was changed."""

    code = 5


def read_document(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON object of an answer that says that it was done. Raises Failure."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _describe_stranger(answer)
    if answer.is_success:
        return document
    raise _describe_refusal(answer, document)


def _describe_stranger(answer: httpx2.Response) -> Failure:
    """What is no JSON comes from a proxy, or from no portal at all."""
    place, status = f"{answer.url.scheme}://{answer.url.netloc.decode()}", answer.status_code
    if answer.request.method != "GET" and status >= 500:
        return NotSettled(f"{place} responded {status}: it is not known whether it was done.", "Look, then try again.")
    step = "Check the portal's address; with a token for `make run` it is http://127.0.0.1:8002."
    return Unreachable(f"{place} responded {status}, and not as a portal does.", step)


def _describe_refusal(answer: httpx2.Response, document: dict[str, Any]) -> Failure:
    # AgentStation's two words, or a problem by RFC 9457.
    words = (document.get(name) for name in ("message", "detail", "title", "error"))
    status, message = answer.status_code, next((str(one) for one in words if one), "It was refused.")
    after, number = answer.headers.get("Retry-After"), answer.headers.get("X-Portal-Request")
    wait = f"Try again in {after} s." if after else ""
    scope = _SCOPE.search(answer.headers.get("WWW-Authenticate", ""))
    if scope or (status == 401 and number is None):
        needed = f"the scope {scope[1]}" if scope else "the scopes you need"
        return NotSignedIn(message, _RENEW.format(needed), status=status)
    if status in (503, 504) and after:
        return NotSettled(message, wait, status=status)
    step = "" if status == 422 and _NOT_FOUND not in message else _STEPS.get(status, wait)
    page = answer.headers.get("X-Portal-Page")
    more = f"{number}: {answer.request.url.join(page)}" if page else ""
    return (NotSettled if status == 504 else Refused)(message, step, more, status=status)
