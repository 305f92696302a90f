"""What `/v1` answers, in the provider's form and words."""

import json
from collections.abc import Mapping

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse

# The provider's own sentences, and ours for what it does not document.
_SENTENCES = {
    400: "Invalid Request Format - check API documentation for proper syntax.",
    401: "Unauthorized - missing or invalid API key.",
    403: "Forbidden - this is not allowed.",
    404: "Not Found - there is nothing at this address.",
    405: "Method Not Allowed - this address does not answer to this method.",
    408: "Request Timeout - the request did not arrive in time.",
    413: "Payload Too Large - a request may have 64 KB.",
    422: "Unprocessable Entity - cannot find requested asset associated with your API key.",
    429: "Too Many Requests - please wait before making additional requests.",
    500: "Internal Server Error - please retry your request.",
    502: "Bad Gateway - the answer is not JSON, or larger than 1 MB.",
    503: "Service Unavailable - please retry.",
    504: "Gateway Timeout - please retry.",
}
AGAIN = {"Retry-After": "5"}  # seconds

type Answer = HttpResponse | StreamingHttpResponse


class Refusal(Exception):
    """A call that is not done; `answer` says why."""

    def __init__(self, status: int, words: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.answer = make_error(status, words, headers)


def make_error(status: int, words: str = "", headers: Mapping[str, str] | None = None) -> HttpResponse:
    """`words` say more than the provider's sentence, where we know more."""
    error, _, sentence = _SENTENCES.get(status, f"Status {status}").partition(" - ")
    document = {"error": error, "message": f"{error} - {(words or sentence).removeprefix(f'{error} - ')}"}
    return JsonResponse(document, status=status, headers=headers)


def make_problem(error: Answer) -> HttpResponse:
    """The same by RFC 9457, as `/api/` answers, which takes tokens and knows of no other key."""
    detail = json.loads(error.getvalue())["message"].partition(" - ")[2].replace("API key", "token")
    document = {"title": error.reason_phrase, "status": error.status_code, "detail": detail}
    headers = {**error.headers, "Content-Type": "application/problem+json"}
    return HttpResponse(json.dumps(document), status=error.status_code, headers=headers)
