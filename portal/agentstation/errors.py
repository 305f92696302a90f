"""What can go wrong in a call, as one tree.

AgentStationError
+-- NoConnection            not a byte went out: the TCP or TLS handshake never completed (or the name was not found)
+-- SendTooLate             at most headers went out: `send_before` had passed before the first byte, or before the body
+-- NoAnswer                sent, but no complete response came, or a 1xx: something may have been made
|   +-- GatewayResponse     3xx, 408, 409, 502, 504, 520, any other undocumented 5xx, any 503 that is not Overloaded
+-- UnreadableResponse      a 2xx whose body cannot be read as what was asked for: something may have been made
|   +-- PageTooLarge        a page of a list that has more bytes than are read
+-- InvalidRequest          400: the request's form is wrong
+-- InvalidKey              401: the API key is missing or invalid
+-- PaymentRequired         402: the credits are used up, or the payment method has expired
+-- AssetNotFound           422: what was named does not exist for this API key
+-- RateLimited             429: `response.retry_after` says how long to wait, where the provider said so
+-- InternalError           500: something may have been made
+-- Overloaded              503 whose body is a JSON object with exactly the strings error and message
+-- UnexpectedStatus        any other status (403, 404, 418, ...): refused, so nothing was made

No text here ever holds the API key, nor anything that the provider wrote: that is in `response`.
"""

from portal.agentstation.resources import Response

_NO_SUCH_PATH = (404, 501)


class AgentStationError(Exception):
    """The base of all that a call raises; `response` is the provider's complete response, None where none came."""

    def __init__(self, message: str, *, response: Response | None = None) -> None:
        super().__init__(message)
        self.response = response

    @property
    def has_no_such_path(self) -> bool:
        """Whether the provider says that there is nothing at the call's address, whatever it is called with."""
        return self.response is not None and self.response.status in _NO_SUCH_PATH


class NoConnection(AgentStationError): ...


class SendTooLate(AgentStationError): ...


class NoAnswer(AgentStationError): ...


class GatewayResponse(NoAnswer):
    """A response that leaves open what the provider did: something between us may have given it, or something was made
    and is described elsewhere (a redirect), or had been made before (409)."""


class UnreadableResponse(AgentStationError): ...


class PageTooLarge(UnreadableResponse): ...


class InvalidRequest(AgentStationError): ...


class InvalidKey(AgentStationError): ...


class PaymentRequired(AgentStationError): ...


class AssetNotFound(AgentStationError): ...


class RateLimited(AgentStationError): ...


class InternalError(AgentStationError): ...


class Overloaded(AgentStationError): ...


class UnexpectedStatus(AgentStationError): ...


_BY_STATUS: dict[int, type[AgentStationError]] = {
    400: InvalidRequest,
    401: InvalidKey,
    402: PaymentRequired,
    408: GatewayResponse,
    409: GatewayResponse,
    422: AssetNotFound,
    429: RateLimited,
    500: InternalError,
}
# Whose bodies the contract describes; any other 503 may be a gateway's.
REFUSALS = frozenset(status for status, error in _BY_STATUS.items() if error is not GatewayResponse)


def class_for(*, status: int, document: object) -> type[AgentStationError]:
    """The error that a status other than 2xx stands for; `document` is its body as JSON, None where it is none."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    match document:
        # In exactly the documented form: a proxy's own 503 (HTML, or other JSON) proves nothing.
        case {"error": str(), "message": str(), **others} if status == 503 and not others:
            return Overloaded
    if 300 <= status < 400 or 500 <= status < 600:
        return GatewayResponse
    # An interim answer in the place of the final one: what comes behind it is not read, and may be a success.
    if status < 200:
        return NoAnswer
    return UnexpectedStatus
