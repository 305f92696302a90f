"""People and groups: superusers edit, auditors and operators look, nobody deletes a person."""

import pytest
from django.contrib.auth.models import Group, Permission

from portal import models

pytestmark = pytest.mark.django_db


def page_of(person: models.User, page: str = "change") -> str:
    return f"/admin/portal/user/{person.pk}/{page}/"


def form_of(person: models.User, **changes: object) -> dict[str, object]:
    values = {"username": person.username, "first_name": "", "last_name": "", "email": "", "is_active": "on", **changes}
    return {name: value for name, value in values.items() if value is not None}


def test_people_are_added_on_the_portals_own_page_where_nobody_types_their_password(root, sign_in):
    browser = sign_in(root)
    data = {"username": "carol", "usable_password": "true", "password1": "long 4 me", "password2": "long 4 me"}
    for response in (browser.get("/admin/portal/user/add/"), browser.post("/admin/portal/user/add/", data)):
        assert (response.status_code, response.url) == (302, "/people/new/")
    assert not models.User.objects.filter(username="carol").exists()
    assert 'href="/admin/portal/user/add/"' in browser.get("/admin/portal/user/").text


def test_all_that_a_superuser_may_change_about_a_person_is_an_event(root, alice, sign_in):
    browser, group = sign_in(root), Group.objects.create(name="Guests")
    changes = {
        "username": "alicia",
        "first_name": "Alice",
        "last_name": "Liddell",
        "email": "alice@team.example",
        "is_active": None,
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [Permission.objects.get(codename="view_event").pk],
    }
    assert set(browser.get(page_of(alice)).context["adminform"].form.fields) == {*changes, "password"}
    groups = list(alice.groups.values_list("pk", flat=True))
    assert browser.post(page_of(alice), form_of(alice, groups=groups)).status_code == 302
    assert not models.Event.objects.filter(verb="change-person").exists(), "nothing was changed"

    for field, value in changes.items():
        before = list(models.Event.objects.filter(verb="change-person").values_list("pk", flat=True))
        now = models.User.objects.get(pk=alice.pk)
        own = {"groups": [group.pk for group in now.groups.all()], "is_active": "on" if now.is_active else None}
        kept = {name: getattr(now, name) for name in ("first_name", "last_name", "email")}
        more = {"is_superuser": "on" if now.is_superuser else None, "username": now.username}
        response = browser.post(page_of(alice), form_of(now, **(own | kept | more | {field: value})))
        assert response.status_code == 302, field
        event = models.Event.objects.exclude(pk__in=before).get(verb="change-person")
        name = "permissions" if field == "user_permissions" else field
        assert (event.actor_name, event.address, [*event.detail["after"]]) == ("root", "127.0.0.1", [name])
    alice.refresh_from_db()
    assert (alice.is_active, alice.is_superuser, *alice.groups.all()) == (False, True, group)


def test_a_superuser_sets_a_password(root, alice, sign_in):
    data = {"usable_password": "true", "password1": "quite another 1", "password2": "quite another 1"}
    url = page_of(alice, "password")

    assert sign_in(root).get(url).status_code == 200
    assert sign_in(root).post(url, data).url == page_of(alice)
    alice.refresh_from_db()
    assert alice.check_password("quite another 1")
    event = models.Event.objects.get(verb="change-person")
    assert event.detail == {"before": {"password": "not shown"}, "after": {"password": "not shown"}}


def test_a_person_is_never_deleted_and_the_page_says_so(root, alice, sign_in):
    browser = sign_in(root)

    assert browser.get(page_of(alice, "delete")).status_code == 403
    assert browser.post(page_of(alice, "delete"), {"post": "yes"}).status_code == 403
    browser.post("/admin/portal/user/", {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"})
    assert models.User.objects.filter(pk=alice.pk).exists()
    assert "never deleted" in browser.get(page_of(alice)).text
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
        for address in (page_of(alice), page_of(alice, "password"), *adding):
            assert browser.post(address, form_of(alice, is_superuser="on")).status_code == 403, address
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
    page = f"/admin/auth/group/{group.pk}"
    assert browser.get(f"{page}/change/").status_code == 200
    assert browser.post(f"{page}/change/", {"name": "Visitors"}).status_code == 302
    assert browser.get("/admin/auth/group/").status_code == 200
    assert browser.post(f"{page}/delete/", {"post": "yes"}).status_code == 302
    assert not Group.objects.filter(pk=group.pk).exists()
    found = models.Event.objects.filter(target__startswith="group").order_by("pk").values_list("verb", "actor_name")
    assert list(found) == [("add-group", "root"), ("change-group", "root"), ("delete-group", "root")]


def test_people_and_groups_lead_to_their_events_and_history(root, alice, sign_in):
    browser, group = sign_in(root), Group.objects.get(name="Auditors")
    browser.post(page_of(alice), form_of(alice, first_name="Alicia"))
    browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Auditors", "permissions": []})
    for page, query, verb in (
        (page_of(alice), "q=%22alice%22", "change-person"),
        (f"/admin/auth/group/{group.pk}/change/", "target=group+Auditors", "change-group"),
    ):
        link = f"/admin/portal/event/?{query}"
        assert f'href="{link}">Events</a>' in browser.get(page).text
        assert [event.verb for event in browser.get(link).context["cl"].result_list] == [verb]
    history = f"/admin/auth/group/{group.pk}/history/"
    assert f'href="{history}">History</a>' in browser.get(page).text
    assert "permissions: portal.see_all, " in browser.get(history).text
