"""A list's address asks for what the list offers, and for nothing else that Django could look up."""

import html
import itertools
import re
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

pytestmark = pytest.mark.django_db

# Takes a database minutes where it is looked for in forty letters.
SLOW = "(a+)+$"
REFUSED = (DisallowedModelAdminLookup, IncorrectLookupParameters)
_LINK = re.compile(r'href="(\?[^"]*)"')


def list_made_up(model: type[Model]) -> list[str]:
    """Lookups of each field of the model and of each field that a relation leads to."""
    names = []
    for field in model._meta.get_fields():
        names += [f"{field.name}__{lookup}" for lookup in ("regex", "iregex", "contains", "in", "gt")]
        if field.related_model:
            others = [other.name for other in field.related_model._meta.get_fields()]
            names += [
                f"{field.name}__{other}{lookup}" for other in others for lookup in ("", "__startswith", "__regex")
            ]
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


def choose(addresses: list[str]) -> list[str]:
    """Of those that ask for the same things, the first and the last."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for address in addresses:
        path, _, query = address.partition("?")
        names = sorted({name for name, _ in parse_qsl(query, keep_blank_values=True)} - {"q"})
        kinds.setdefault((path, *names), []).append(address)
    return sorted({address for kind in kinds.values() for address in (kind[0], kind[-1])})


def test_every_link_of_a_list_and_to_it_works(alice, root, sign_in, monkeypatch):
    record = rows.create_all(alice) | {"user": alice, "group": Group.objects.get(name="Members")}
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 3)
    for number in range(5):  # a second page
        rows.create_event(alice, target=f"request R-{number}")
    browser = sign_in(root)
    for model in admin.site._registry:
        change = browser.get(columns.url_of(record[model._meta.model_name])).text
        known: set[str] = set()
        todo = [columns.list_url(model), *map(html.unescape, re.findall(r'href="(/admin/\w+/\w+/\?[^"]*)"', change))]
        for _ in range(2):
            found = []
            for address in todo:
                response = browser.get(address)
                assert response.status_code == 200, address
                links = {html.unescape(link) for link in _LINK.findall(response.text)}
                found += [address.partition("?")[0] + link for link in links]
            todo = choose(sorted({*found} - known))
            known.update(todo)


def test_a_list_goes_by_the_columns_whose_heads_can_be_clicked(alice, browse):
    first, second = rows.create_request(alice, status="QUEUED"), rows.create_request(alice, status="CANCELLED")
    assert browse("request", o="0") == [first.pk, second.pk]
    assert browse("request", o="-0") == [second.pk, first.pk]
    for order in ("5", "-5", "5.0", "5.x.99.-", "٠", "9" * 5000):  # by status, and by what is no column
        with CaptureQueriesContext(connection) as queries:
            browse("request", o=order)
        assert not [query["sql"] for query in queries if re.search(r'ORDER BY[^)]*"status"', query["sql"])], order


def test_nothing_is_completed(alice, root, sign_in):
    rows.create_all(alice)
    browser = sign_in(root)
    browser.raise_request_exception = False
    fields = (("workstation", "request"), ("request", "requester"), ("user", "groups"), ("nothing", "nothing"))
    for (model, field), term in itertools.product(fields, ("alice", "", "a\x00b")):
        asked = {"app_label": "portal", "model_name": model, "field_name": field, "term": term}
        assert browser.get("/admin/autocomplete/", asked).status_code == 404, asked
    assert not [pages for pages in admin.site._registry.values() if pages.autocomplete_fields]
