"""A list's address asks for what the list offers, and for nothing else that Django could look up."""

import html
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from portal.admin.base import columns
from portal.admin.base.readonly import ReadOnlyAdmin
from tests.admin import rows
from tests.browser import Browser

pytestmark = pytest.mark.django_db

# Takes a database minutes where it is looked for in forty letters.
SLOW = "(a+)+$"
REFUSED = (DisallowedModelAdminLookup, IncorrectLookupParameters)
_LINK = re.compile(r'href="(\?[^"]*)"')


def list_made_up(model: type[Model]) -> list[str]:
    """Lookups of each field of the model and of each field that a relation leads to."""
    names = []
    for field in model._meta.get_fields():
        names += [f"{field.name}__{lookup}" for lookup in ("iregex", "contains", "in")]
        if field.related_model:
            others = [other.name for other in field.related_model._meta.get_fields()]
            names += [f"{field.name}__{other}{lookup}" for other in others for lookup in ("", "__regex")]
    return names


def test_a_lookup_that_the_list_does_not_offer_never_reaches_the_database(alice, root):
    rows.create_all(alice)
    for model, name in ((page, name) for page in admin.site._registry for name in list_made_up(page)):
        request = RequestFactory().get(columns.list_url(model), {name: SLOW})
        request.user = root
        with CaptureQueriesContext(connection) as queries, pytest.raises(REFUSED):
            admin.site._registry[model].get_changelist_instance(request)
        assert not [query["sql"] for query in queries if SLOW in query["sql"]], (model, name)


def test_what_froze_the_portal_is_a_bad_request_and_no_line_of_the_log(alice, browser, caplog):
    rows.create_request(alice, note="a" * 40 + "!")
    query = urlencode({"note__regex": SLOW})
    assert browser.get(f"/admin/portal/request/?{query}").status_code == 400
    assert browser.post(f"/admin/portal/request/export.csv?{query}").status_code == 400
    for wrong in ("request/?nonsense=1", "request/?requester=abc", "request/?p=99", "user/?password__startswith=m"):
        assert browser.get(f"/admin/portal/{wrong}").status_code == 400, wrong
    assert caplog.records == []
    assert not [pages for pages in admin.site._registry.values() if pages.autocomplete_fields]


def choose(addresses: set[str]) -> list[str]:
    """Of those that ask for the same things, one."""
    kinds: dict[tuple[str, ...], str] = {}
    for address in sorted(addresses):
        path, _, query = address.partition("?")
        names = sorted({name for name, _ in parse_qsl(query, keep_blank_values=True)} - {"q"})
        kinds[path, *names] = address
    return [*kinds.values()]


def follow(browser: Browser, addresses: Iterable[str]) -> set[str]:
    """Where the lists at these addresses lead."""
    found = set()
    for address in addresses:
        response = browser.get(address)
        assert response.status_code == 200, address
        found |= {address.partition("?")[0] + html.unescape(link) for link in _LINK.findall(response.text)}
    return found


def test_every_link_of_a_list_and_to_it_works(alice, root, sign_in, monkeypatch):
    record = rows.create_all(alice) | {"user": alice, "group": Group.objects.get(name="Members")}
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 3)
    for number in range(5):  # a second page
        rows.create_event(alice, target=f"request R-{number}")
    browser = sign_in(root)
    for model in admin.site._registry:
        change = browser.get(columns.url_of(record[model._meta.model_name])).text
        to_lists = map(html.unescape, re.findall(r'href="(/admin/\w+/\w+/\?[^"]*)"', change))
        follow(browser, choose(follow(browser, [columns.list_url(model), *to_lists])))


def test_a_list_goes_by_the_columns_whose_heads_can_be_clicked(alice, browse):
    first, second = rows.create_request(alice, status="QUEUED"), rows.create_request(alice, status="CANCELLED")
    assert browse("request", o="0") == [first.pk, second.pk]
    assert browse("request", o="-0") == [second.pk, first.pk]
    for order in ("5", "-5", "5.0", "5.x.99.-", "٠", "9" * 5000):  # by status, and by what is no column
        with CaptureQueriesContext(connection) as queries:
            browse("request", o=order)
        assert not [query["sql"] for query in queries if re.search(r'ORDER BY[^)]*"status"', query["sql"])], order
