"""An application that does what a client asks of it, behind the portal's gunicorn."""

import errno
import tempfile
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import IO, Any

from tests.web.clients import FILE_SIZE, LARGE

PAGE = b"x" * LARGE


def make_file() -> IO[bytes]:
    """A file that no other process sees."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the answer closes it)
    file.write(b"x" * (FILE_SIZE - 1) + b"y")
    file.seek(0)
    return file


def cut_off() -> Iterator[bytes]:
    """As an export whose reader may not have the rest."""
    yield b"some"
    raise ConnectionResetError(errno.ECONNRESET, "no more")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    """Answers by the path: /body says how long the body was, /endless never ends, /cut breaks off, /broken/ fails."""
    path = environ["PATH_INFO"]
    if path.startswith("/broken/"):
        raise ZeroDivisionError
    if path in ("/endless", "/cut"):
        start_response("200 OK", [])
        return repeat(PAGE) if path == "/endless" else cut_off()
    if path == "/file":
        start_response("200 OK", [("Content-Length", str(FILE_SIZE))])
        file: Iterator[bytes] = environ["wsgi.file_wrapper"](make_file())
        return file
    seen = " ".join(environ[name] for name in ("wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO")).encode()
    answer = {
        "/body": lambda: b"%d" % len(environ["wsgi.input"].read()),
        "/page": lambda: PAGE,
        "/seen": lambda: seen,
    }.get(path, lambda: b"ok")()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return iter([answer])
