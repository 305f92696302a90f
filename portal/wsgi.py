"""The WSGI application: `gunicorn portal.wsgi`."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django's. A form in another encoding than UTF-8 is none of ours, and much that Python knows is none at all."""
    kind, _, options = environ.get("CONTENT_TYPE", "").partition(";")
    if "charset" in options.lower() and "utf-8" not in options.lower():
        environ["CONTENT_TYPE"] = kind
    response: Iterable[bytes] = _django(environ, start_response)
    return response


if not settings.ON_SQLITE:
    _options = connections.settings["default"]["OPTIONS"]
    _options["pool"]["max_size"] = settings.WEB_CONNECTIONS
    if settings.PORTAL_STATEMENT_TIMEOUT:
        # No page may keep the database busy for longer; whoever asked for it is told (views/errors.py).
        _options["options"] += f" -c statement_timeout={int(settings.PORTAL_STATEMENT_TIMEOUT * 1000)}ms"
