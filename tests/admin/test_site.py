"""Who may enter the admin and how one gets out; its first page, and what that says of the audit log itself."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from portal.admin import site
from portal.db import triggers
from portal.services.audit import seals
from tests import factories
from tests.admin import rows
from tests.audit.conftest import make_seal  # noqa: F401 (a fixture)
from tests.browser import count_queries

pytestmark = pytest.mark.django_db

TASKS = ["Look up a request", "Browse the audit log", "Verify and export"]


# --- Who enters ---


def test_auditors_operators_and_superusers_enter_and_nobody_else(alice, anna, olga, root, sign_in):
    for person in (anna, olga, root):
        assert not person.is_staff
        assert sign_in(person).get("/admin/").status_code == 200
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    for address in ("/admin/", "/admin/portal/request/"):
        assert sign_in(alice).get(address).status_code == 403, "not sent in circles"
        assert Client().get(address, follow=True).redirect_chain[-1][0] == f"/accounts/login/?next={address}"


def test_the_ways_out_are_the_portals_own(browser):
    page = browser.get("/admin/").text
    for way in ('href="/"', 'href="/accounts/password/"', 'action="/accounts/logout/"'):
        assert way in page
    assert browser.get("/admin/password_change/").url == "/accounts/password/"
    assert browser.get("/admin/password_change/done/").url == "/accounts/password/changed/"
    for address in ("/admin/portal/", "/admin/auth/"):
        assert browser.get(address).url == "/admin/"
    assert browser.post("/admin/logout/").url == "/accounts/login/"
    assert browser.get("/admin/").status_code == 302


# --- The first page ---


def read_headings(page: str) -> list[str]:
    return [heading.strip() for heading in re.findall(r'<h2 id="[^"]*">\s*([^<]*?)\s*</h2>', page)]


def test_every_model_of_the_admin_is_in_one_section_with_a_line():
    assert {*site.MODELS} == {*admin.site._registry}
    for section, words in site.MODELS.values():
        assert section in site.SECTIONS
        assert str(words).endswith(".")


def test_it_begins_with_three_tasks_and_then_lists_the_sections(root, sign_in, browser):
    page = browser.get("/admin/").text
    assert read_headings(page) == [*TASKS, *map(str, site.SECTIONS.values())]
    assert page.index("Verify and export") < page.index("/admin/portal/attempt/")
    assert "What people requested, and what became of it." in page
    assert 'href="/admin/auth/group/"' not in page
    assert 'href="/admin/auth/group/"' in sign_in(root).get("/admin/").text


def test_whoever_may_see_less_is_offered_less(sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=("see_all", "view_attempt")))
    page = sign_in(guest).get("/admin/").text
    assert read_headings(page) == ["Requests and responses", "Accounts and people"]
    assert "/admin/portal/attempt/" in page
    assert "/admin/portal/request/" not in page
    assert "/admin/portal/event/" not in page


def test_the_days_of_the_presets_are_those_of_the_persons_zone(alice, anna, sign_in, monkeypatch):
    factories.update(anna, time_zone="Pacific/Kiritimati")  # 14 hours ahead
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 3, 10, 11, tzinfo=UTC))
    assert re.findall(r'href="/admin/portal/event/\?([^"]*)"', sign_in(anna).get("/admin/").text)[:3] == [
        "since=2026-03-11&amp;until=2026-03-11",
        "since=2026-03-10&amp;until=2026-03-10",
        "since=2026-03-05&amp;until=2026-03-11",
    ]


def test_it_costs_the_same_however_much_there_is(alice, browser):
    def add_rows(count: int) -> int:
        for number in range(count):
            rows.create_all(alice)
            rows.create_event(alice, at=timezone.now() - timedelta(minutes=number))
        return count_queries(lambda: browser.get("/admin/"))

    add_rows(1)
    assert add_rows(1) == add_rows(8) <= 16


def test_every_kind_of_row_has_the_name_of_the_glossary(root, sign_in):
    names = re.findall(r'<dt>\s*<a href="/admin/\w+/\w+/">([^<]*)</a>', sign_in(root).get("/admin/").text)
    assert names == [
        *("Requests", "Attempts", "Late responses", "Lost responses", "Scans"),
        *("Workstations", "Connections", "Shares", "Workspaces", "Files", "Logs", "Workstation types"),
        *("Events", "Audit seals", "Deletion records"),
        *("People", "Groups", "Accounts", "Keys", "Credentials"),
        *("API changes", "Databases", "Restores"),
    ]


# --- The state of the audit log ---


@pytest.fixture
def read(browser):
    """The words of the page's section."""

    def read(address: str = "/admin/") -> str:
        section = browser.get(address).text.split("audit-log-state")[1].split("</section>")[0]
        return " ".join(re.sub("<[^>]*>", " ", section).split())

    return read


def test_a_record_without_a_seal_says_so(read, browser):
    words = read()
    assert "Nothing is sealed yet. No event waits" in words
    assert "Not checked yet." in words
    page = browser.get("/admin/").text
    assert re.search(r"Not checked yet.\s*<a href=./audit-log/.>Audit log check</a>", page)
    assert "Download a checkpoint" not in page
    assert "verify_audit --checkpoint checkpoint.json" in words
    assert "Nothing is sealed yet." in read("/admin/portal/event/")


def test_how_far_it_is_sealed_and_how_much_waits(read, alice, seal, settings):
    factories.submit(alice)
    seal()
    assert re.search(r"Sealed up to event \d+, by seal 1 of .*No event waits", read())
    rows.create_event(alice)
    assert "1 newer event waits for the next seal, since" in read()
    rows.create_event(alice)
    assert "2 newer events wait for the next seal, the oldest since" in read("/admin/portal/event/")
    assert "too long" not in read()
    settings.PORTAL_JOB_INTERVAL = 0
    assert "That is too long" in read()


def test_an_auditor_takes_the_newest_seal_as_a_checkpoint(alice, seal, sign_in, browser):
    response = browser.post("/admin/portal/seal/checkpoint.json", follow=True)
    assert "Nothing has been sealed yet" in response.text
    factories.submit(alice)
    seal()
    for form in ("seal/checkpoint.json", "event/export.csv"):
        assert f'action="/admin/portal/{form}"' in browser.get("/admin/").text
    assert 'action="checkpoint.json"' in browser.get("/admin/portal/seal/").text
    response = browser.post("/admin/portal/seal/checkpoint.json")
    assert response.json() == seals.describe_newest()
    assert response["Content-Disposition"] == 'attachment; filename="checkpoint-1.json"'
    assert seals.read_checkpoint(data=response.json()).number == 1
    assert sign_in(alice).post("/admin/portal/seal/checkpoint.json").status_code == 403


def test_a_record_that_is_not_protected_is_said(read):
    assert "its triggers are all in place" in read()
    triggers.remove_triggers()
    words = read()
    assert "must run manage.py migrate" in words
    assert "The trigger portal_keep_event_update is missing." in words
