"""Who may enter the audit log, and how one gets out."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_member_is_refused_and_not_sent_in_circles(alice, sign_in):
    assert sign_in(alice).get("/admin/").status_code == 403
    assert sign_in(alice).get("/admin/portal/request/").status_code == 403


@pytest.mark.parametrize("name", ["anna", "olga", "root"])
def test_auditors_operators_and_superusers_enter_without_is_staff(name, request, sign_in):
    user = request.getfixturevalue(name)

    assert not user.is_staff
    assert sign_in(user).get("/admin/").status_code == 200


def test_whoever_was_deactivated_is_signed_out(anna, sign_in):
    browser = sign_in(anna)
    anna.is_active = False
    anna.save(update_fields=["is_active"])

    assert browser.get("/admin/").status_code == 302


def test_is_staff_alone_opens_nothing(alice, sign_in):
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])

    assert sign_in(alice).get("/admin/").status_code == 403


@pytest.mark.parametrize("address", ["/admin/", "/admin/portal/request/"])
def test_signed_out_one_is_sent_to_the_portals_sign_in(address):
    response = Client().get(address, follow=True)

    assert response.redirect_chain[-1][0] == f"/accounts/login/?next={address}"


def test_the_index_leads_back_to_the_portal_and_out(anna, sign_in):
    page = sign_in(anna).get("/admin/").content.decode()

    assert 'href="/"' in page
    assert 'href="/accounts/password/"' in page
    assert 'action="/accounts/logout/"' in page


def test_the_admins_own_log_out_works_by_post_alone(anna, sign_in):
    browser = sign_in(anna)

    assert browser.get("/admin/logout/").status_code == 405
    assert browser.post("/admin/logout/").url == "/accounts/login/"
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("password_change/", "/accounts/password/"), ("password_change/done/", "/accounts/password/changed/")],
)
def test_passwords_are_changed_in_the_portal(anna, sign_in, theirs, ours):
    assert sign_in(anna).get(f"/admin/{theirs}").url == ours
