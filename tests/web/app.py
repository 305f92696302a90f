"""An application that does what a client asks of it, behind the portal's gunicorn."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

from tests.web.clients import LARGE

PAGE = b"x" * LARGE


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """/body says how long the body was, /page is large, /endless never ends, /broken/ fails; all else reads nothing."""
    path = environ["PATH_INFO"]
    if path.startswith("/broken/"):
        raise ZeroDivisionError
    if path == "/endless":
        start_response("200 OK", [])
        return repeat(PAGE)
    seen = " ".join(environ[name] for name in ("wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO")).encode()
    answer = {
        "/body": lambda: b"%d" % len(environ["wsgi.input"].read()),
        "/page": lambda: PAGE,
        "/seen": lambda: seen,
    }.get(path, lambda: b"ok")()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return iter([answer])
