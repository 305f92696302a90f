"""An application that does what a client asks of it, behind the portal's gunicorn."""

import errno
from collections.abc import Callable, Iterator
from typing import Any


def cut_off() -> Iterator[bytes]:
    """As an export whose reader may not have the rest."""
    yield b"some"
    raise ConnectionResetError(errno.ECONNRESET, "no more")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answers by the path: /body says how long the body was, /seen what came, /cut breaks off, /broken/ fails."""
    path = environ["PATH_INFO"]
    if path.startswith("/broken/"):
        raise ZeroDivisionError
    if path == "/cut":
        start_response("200 OK", [])
        return cut_off()
    answer = b"ok"
    if path == "/body":
        answer = b"%d" % len(environ["wsgi.input"].read())
    elif path == "/seen":
        answer = " ".join(environ[name] for name in ("wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO")).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return iter([answer])
