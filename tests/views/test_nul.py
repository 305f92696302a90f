"""NUL in an address: there is no such page, and no filter takes it. No database could be asked for it."""

import itertools
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db import connection
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import RegexPattern

from tests import factories
from tests.admin import rows

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite takes NUL for a character like others"),
]

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# What each page reads of its address; of the admin's lists what any of them does.
_FILTERS = (
    *("q", "status", "type", "failure", "person", "unknown", "longer", "since", "until", "zone", "sort"),
    *("before", "after", "\x00"),
)
PORTAL_NAMES = {
    **dict.fromkeys(("/requests/", "/requests/export.csv"), _FILTERS),
    **dict.fromkeys(
        ("/workstations/", "/workstations/export.csv"), ("show", "type", "person", "since", "until", "before")
    ),
    "/requests/live/": ("numbers", "seen"),
    "/requests/new/": ("again", "workspace_id"),
    "/usage/": ("days", "since", "until"),
    "/workspaces/": ("show", "before"),
    "/people/": ("name", "before"),
    **dict.fromkeys(("/live/", "/key/", "/key/live/", "/key/banner/"), ("seen",)),
    "/accounts/login/": ("next",),
}
ADMIN_NAMES = (
    *("q", "since", "until", "person", "type", "status", "failure", "next", "note", "\x00"),
    *("o", "p", "e", "all", "_facets", "_popup", "_to_field", "_changelist_filters", "_source_model", "term"),
    *("app_label", "model_name", "field_name", "request", "requester", "owner", "target", "key", "verb", "level"),
    *("type__exact", "status__exact", "created_at__gte", "at__lt", "groups__id__exact", "is_active__exact"),
)


def list_routes(patterns: list, before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if not isinstance(pattern, URLPattern):
            yield from list_routes(pattern.url_patterns, route)
        elif not isinstance(pattern.pattern, RegexPattern):  # the admin's for whatever it does not know
            yield f"/{route}"


ROUTES = sorted(set(list_routes(get_resolver().url_patterns)))


def fill(route: str, **values: str) -> str:
    return _PARAMETER.sub(lambda match: quote(values.get(match[1], "1")), route)


@pytest.fixture
def browser(root, sign_in):
    browser = sign_in(root)
    browser.raise_request_exception = False
    return browser


@pytest.fixture
def record(alice) -> dict[str, str]:
    workspace = rows.create_workspace(alice, uid="one")
    portal_request = rows.create_request(alice, workspace_uid="one")
    rows.create_workstation(portal_request, uid="one", workspace=workspace)
    rows.create_event(alice, request_number=portal_request.pk)
    return {"number": str(portal_request.pk), "uid": "one", "code": "402", "provider_id": "acme"}


def test_every_parameter_of_every_path(browser, client, record):
    tried = 0
    for route in ROUTES:
        for name in _PARAMETER.findall(route):
            for value in ("\x00", "a\x00b"):
                path = fill(route, **record | {name: value})
                for response in (browser.get(path), browser.post(path), client.get(path)):
                    assert response.status_code == 404, path
                    assert "Page not found" in response.text
                    tried += 1
    assert tried > 500


@pytest.mark.parametrize("key", ["_00", "1_00", "_5F00"])
def test_what_the_admin_reads_as_nul(browser, record, key):
    """It has an escape of its own for keys in paths."""
    for model in admin.site._registry:
        opts = model._meta
        for page in ("change", "history", "delete"):
            response = browser.get(f"/admin/{opts.app_label}/{opts.model_name}/{key}/{page}/")
            assert response.status_code in (302, 403, 404), (model, page)


def test_each_query_by_itself(browser, record):
    admin_paths = (
        *("/admin/login/", "/admin/autocomplete/", "/admin/portal/request/", "/admin/portal/request/export.csv"),
        *("/admin/portal/event/", "/admin/portal/event/export.jsonl"),
        *("/admin/portal/user/", "/admin/portal/log/", "/admin/auth/group/"),
    )
    asked = [(path, name) for path, names in PORTAL_NAMES.items() for name in names]
    asked += itertools.product(admin_paths, ADMIN_NAMES)
    for path, name in asked:
        send = browser.post if "export" in path else browser.get
        response = send(f"{path}?{name}=%00")
        assert response.status_code < 500, (path, name)
        if response.streaming:
            list(response.streaming_content)


def test_nothing_is_exported_by_a_search_that_cannot_be_read(browser, record):
    assert browser.post("/admin/portal/event/export.csv?q=%00").status_code == 400
    assert not factories.list_events("export").exists()
