"""The first page of the admin: three tasks, and every model in one section, for whoever may see it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.admin import site
from tests import factories
from tests.admin import rows
from tests.audit.conftest import make_seal  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db

TASKS = ["Look up a request", "Browse the audit log", "Verify and export"]


def read_headings(page: str) -> list[str]:
    return [heading.strip() for heading in re.findall(r'<h2 id="[^"]*">\s*([^<]*?)\s*</h2>', page)]


def test_every_model_of_the_admin_is_in_one_section_with_a_line():
    assert {*site.MODELS} == {*admin.site._registry}
    for section, words in site.MODELS.values():
        assert section in site.SECTIONS
        assert str(words).endswith(".")


def test_it_begins_with_three_tasks_and_then_lists_the_sections(anna, root, sign_in):
    page = sign_in(anna).get("/admin/").text
    assert read_headings(page) == [*TASKS, *map(str, site.SECTIONS.values())]
    assert page.index("Verify and export") < page.index("/admin/portal/attempt/")
    assert "What people requested, and what became of it." in page
    for link in ('href="/admin/portal/user/add/"', 'href="/admin/auth/group/"'):
        assert link not in page
        assert link in sign_in(root).get("/admin/").text


def test_whoever_may_see_less_is_offered_less(sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=("see_all", "view_attempt")))
    page = sign_in(guest).get("/admin/").text
    assert read_headings(page) == ["Requests and responses", "Accounts and people"]
    assert "/admin/portal/attempt/" in page
    assert "/admin/portal/request/" not in page
    assert "/admin/portal/event/" not in page


def test_the_page_of_an_app_is_the_first_page(anna, alice, sign_in):
    for address in ("/admin/portal/", "/admin/auth/"):
        assert sign_in(anna).get(address).url == "/admin/"
        assert sign_in(alice).get(address).status_code == 403


def test_the_days_of_the_presets_are_those_of_the_persons_zone(alice, anna, sign_in, monkeypatch):
    anna.time_zone = "Pacific/Kiritimati"  # 14 hours ahead
    anna.save(update_fields=["time_zone"])
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 3, 10, 11, tzinfo=UTC))
    links = re.findall(r'href="/admin/portal/event/\?([^"]*)"', sign_in(anna).get("/admin/").text)
    assert links[:3] == [
        "since=2026-03-11&amp;until=2026-03-11",
        "since=2026-03-10&amp;until=2026-03-10",
        "since=2026-03-05&amp;until=2026-03-11",
    ]


def test_what_is_open_is_linked_and_what_can_be_taken_is_offered(alice, anna, seal, sign_in):
    browser = sign_in(anna)
    page = browser.get("/admin/").text
    assert re.search(r"Not checked yet.\s*<a href=./audit-log/.>Audit log check</a>", page)
    assert "Download a checkpoint" not in page
    factories.submit(alice)
    seal()
    page = browser.get("/admin/").text
    assert 'action="/admin/portal/seal/checkpoint.json"' in page
    assert 'action="/admin/portal/event/export.csv"' in page


def test_it_costs_the_same_however_much_there_is(alice, anna, sign_in):
    browser = sign_in(anna)
    rows.create_all(alice)
    rows.create_event(alice)

    def count() -> int:
        browser.get("/admin/")
        with CaptureQueriesContext(connection) as queries:
            browser.get("/admin/")
        return len(queries)

    few = count()
    for number in range(20):
        rows.create_all(alice)
        rows.create_event(alice, at=timezone.now() - timedelta(minutes=number))
    assert count() == few <= 16


def test_every_kind_of_row_has_the_name_of_the_glossary(root, sign_in):
    page = sign_in(root).get("/admin/").text
    names = re.findall(r'<dt>\s*<a href="/admin/\w+/\w+/">([^<]*)</a>', page)
    assert names == [
        *("Requests", "Attempts", "Late responses", "Lost responses", "Scans"),
        *("Workstations", "Connections", "Shares", "Workspaces", "Files", "Logs", "Workstation types"),
        *("Events", "Audit seals", "Deletion records"),
        *("People", "Groups", "Accounts", "Keys", "Credentials"),
        *("API changes", "Databases", "Restores"),
    ]
