"""`python -m tests.e2e.stage`: builds the stage, then sets a scene for each line that comes in. Speaks JSON lines.

With `day` it is an ordinary day.
"""

import json
import sys
from collections.abc import Iterator
from importlib import import_module

import django
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

django.setup()

from portal import models  # noqa: E402
from portal.services.people import sessions  # noqa: E402
from tests.e2e.stage import day, rows, scenes  # noqa: E402


def list_names(patterns: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    """Every name in the URL map; a pattern without a name stands for itself."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from list_names(pattern.url_patterns, inner)
        else:
            yield namespace + (pattern.name or str(pattern.pattern))


def sign_in(user: models.User, *, browser: str = "Firefox/140.0 (X11; Linux x86_64)") -> str:
    """The key of a session of theirs."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    sessions.begin_session(session=session, address="203.0.113.9", browser=browser)
    session.save()
    return str(session.session_key)


def build() -> dict[str, object]:
    """Database, static files and rows; gives what the tests need to find their way."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    scenes.set_scene("active")
    if sys.argv[1:] == ["day"]:
        people = day.create_day()
        return {"requests": {}, "uids": {}, "sessions": {name: sign_in(user) for name, user in people.items()}}
    people = rows.create_people()
    requests = rows.create_requests(people["mira"], people["olga"])
    uids = rows.create_mirrors(people["mira"], people["olga"])
    uids["unsubscribe"] = rows.create_notifications(people, requests)
    rows.create_types()
    rows.create_record(people["olga"])
    sign_in(people["mira"], browser="iPhone OS 19_0 like Mac OS X Safari/605.1")  # on her telephone, too
    return {
        "requests": {f"r_{name}".replace("-", "_"): number for name, number in requests.items()},
        "uids": uids,
        "sessions": {name: sign_in(user) for name, user in people.items()},
        "names": list(list_names(get_resolver().url_patterns)),
        "static_root": str(settings.STATIC_ROOT),
    }


def tell(response: object) -> None:
    sys.stdout.write(json.dumps(response) + "\n")
    sys.stdout.flush()


tell(build())
for line in sys.stdin:
    tell(scenes.set_scene(line.strip()))
