"""The WSGI application: `gunicorn portal.wsgi`."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.urls import reverse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Call Django. A form that claims another charset than UTF-8 is read as UTF-8: Python does not know all of them."""
    kind, _, options = environ.get("CONTENT_TYPE", "").partition(";")
    if "charset" in options.lower() and "utf-8" not in options.lower():
        environ["CONTENT_TYPE"] = kind
    response: Iterable[bytes] = _django(environ, start_response)
    return response


_options = connections.settings["default"]["OPTIONS"]
if "pool" in _options:
    _options["pool"]["max_size"] = settings.WEB_CONNECTIONS
    # No page may keep the database busy for longer; views/errors.py says so. Migrations and jobs may take their time.
    _options["options"] += " -c statement_timeout=15s"

# All views are imported by this, and not while the first person waits.
reverse("home")
