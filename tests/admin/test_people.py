"""People and groups: superusers edit groups, auditors and operators look, nobody deletes a person."""

import pytest
from django.contrib.auth.models import Group, Permission

from portal import models

pytestmark = pytest.mark.django_db


def page_of(person: models.User, page: str = "change") -> str:
    return f"/admin/portal/user/{person.pk}/{page}/"


def test_a_person_is_never_deleted(root, alice, sign_in):
    browser = sign_in(root)

    assert browser.get(page_of(alice, "delete")).status_code == 403
    assert browser.post(page_of(alice, "delete"), {"post": "yes"}).status_code == 403
    browser.post("/admin/portal/user/", {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"})
    assert models.User.objects.filter(pk=alice.pk).exists()
    assert "is_staff" not in browser.get(page_of(alice)).text


def test_auditors_and_operators_see_people_without_passwords_and_change_nothing(alice, anna, olga, sign_in):
    anna.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "add_user"]))
    for person in (anna, olga):
        browser = sign_in(person)
        page = browser.get(page_of(alice)).text
        assert "Members" in page
        assert "password" not in page.split('id="content"')[1].lower()
        assert alice.password.split("$")[2] not in page
        assert browser.get("/admin/portal/user/").status_code == 200
        adding = ("/admin/portal/user/add/", "/admin/auth/group/add/")
        for address in (page_of(alice), *adding):
            assert browser.post(address, {"is_superuser": "on"}).status_code == 403, address
            assert address == page_of(alice) or browser.get(address).status_code == 403, address
        for address in ("", "1/change/", "1/delete/"):
            assert browser.get(f"/admin/auth/group/{address}").status_code == 403, address
            assert browser.post(f"/admin/auth/group/{address}", {"name": "X"}).status_code == 403, address
    alice.refresh_from_db()
    assert not alice.is_superuser


def test_superusers_edit_and_delete_groups(root, sign_in):
    browser = sign_in(root)
    assert browser.post("/admin/auth/group/add/", {"name": "Guests"}).status_code == 302
    group = Group.objects.get(name="Guests")
    page, link = f"/admin/auth/group/{group.pk}", "/admin/portal/event/?target=group+Guests"
    shown = browser.get(f"{page}/change/").text
    assert f'href="{link}">Events</a>' in shown
    assert f'href="{page}/history/">History</a>' in shown
    assert [event.verb for event in browser.get(link).context["cl"].result_list] == ["add-group"]
    assert browser.post(f"{page}/change/", {"name": "Visitors"}).status_code == 302
    assert browser.get("/admin/auth/group/").status_code == 200
    assert browser.post(f"{page}/delete/", {"post": "yes"}).status_code == 302
    assert not Group.objects.filter(pk=group.pk).exists()
    found = models.Event.objects.filter(target__startswith="group").order_by("pk").values_list("verb", "actor_name")
    assert list(found) == [("add-group", "root"), ("change-group", "root"), ("delete-group", "root")]
