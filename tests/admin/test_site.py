"""Who may enter the admin and how one gets out; its first page, and what that says of the audit log itself."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client

from portal.admin import site
from portal.db import triggers
from portal.services.audit import seals
from tests import factories
from tests.admin import rows
from tests.audit.conftest import make_seal  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db


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
    words = [(model, text) for _title, of_section in site.SECTIONS.values() for model, text in of_section.items()]
    assert sorted(map(repr, dict(words))) == sorted(map(repr, admin.site._registry))
    assert all(str(text).endswith(".") for _model, text in words)
    assert len(words) == len(dict(words))


def test_whoever_may_see_less_is_offered_less(sign_in):
    guest = factories.create_user("guest")
    guest.user_permissions.set(Permission.objects.filter(codename__in=("see_all", "view_attempt")))
    page = sign_in(guest).get("/admin/").text
    assert read_headings(page) == ["Requests and responses", "Accounts and people"]
    assert "/admin/portal/attempt/" in page
    assert "/admin/portal/request/" not in page
    assert "/admin/portal/event/" not in page


# --- The state of the audit log ---


@pytest.fixture
def read(browser):
    """The words of the page's section."""

    def read(address: str = "/admin/") -> str:
        section = browser.get(address).text.split("audit-log-state")[1].split("</section>")[0]
        return " ".join(re.sub("<[^>]*>", " ", section).split())

    return read


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
