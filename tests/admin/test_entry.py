"""Who may enter the audit log, and how one gets out."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_auditors_operators_and_superusers_enter_and_nobody_else(alice, anna, olga, root, sign_in):
    for person in (anna, olga, root):
        assert not person.is_staff
        assert sign_in(person).get("/admin/").status_code == 200
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    for address in ("/admin/", "/admin/portal/request/"):
        assert sign_in(alice).get(address).status_code == 403, "not sent in circles"
        response = Client().get(address, follow=True)
        assert response.redirect_chain[-1][0] == f"/accounts/login/?next={address}"


def test_whoever_was_deactivated_is_signed_out(anna, sign_in):
    browser = sign_in(anna)
    anna.is_active = False
    anna.save(update_fields=["is_active"])
    assert browser.get("/admin/").status_code == 302


def test_the_ways_out_are_the_portals_own(anna, sign_in):
    browser = sign_in(anna)
    page = browser.get("/admin/").text
    for way in ('href="/"', 'href="/accounts/password/"', 'action="/accounts/logout/"'):
        assert way in page
    assert browser.get("/admin/password_change/").url == "/accounts/password/"
    assert browser.get("/admin/password_change/done/").url == "/accounts/password/changed/"
    assert browser.get("/admin/logout/").status_code == 405
    assert browser.post("/admin/logout/").url == "/accounts/login/"
    assert browser.get("/admin/").status_code == 302
