"""A browser without a screen, which posts forms as the portal's pages have them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

FORM = "application/x-www-form-urlencoded"


class Browser(Client):
    """Django's own posts a form as if it held files, which the portal refuses."""

    def post(  # type: ignore[override]  # the rest is passed on by name
        self, path: str, data: Any = None, content_type: str = FORM, **values: Any
    ) -> "_MonkeyPatchedWSGIResponse":
        sent = urlencode(data or {}, doseq=True) if content_type == FORM and not isinstance(data, str) else data
        return super().post(path, sent, content_type, **values)


def forget_password(browser: Client) -> None:
    """As if the password had been typed long ago."""
    session = browser.session
    session["proved"] = 0
    session.save()


def count_queries(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as queries:
        act()
    return len(queries)


def read(response: "_MonkeyPatchedWSGIResponse") -> str:
    """A page on one line, whatever the lines of its templates, and with apostrophes."""
    return " ".join(response.text.replace("&#x27;", "'").split()).replace("<bdi >", "<bdi>")
