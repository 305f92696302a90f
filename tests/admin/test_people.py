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
    permission = Permission.objects.get(codename="view_event")
    changes = {
        "username": "alicia",
        "first_name": "Alice",
        "last_name": "Liddell",
        "email": "alice@team.example",
        "is_active": None,
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [permission.pk],
    }
    form = browser.get(page_of(alice)).context["adminform"].form
    assert set(form.fields) == {*changes, "password"}

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
        assert (event.actor_name, [*event.detail["after"]]) == ("root", [name])


def test_a_superuser_makes_an_auditor_of_a_member(root, alice, sign_in):
    auditors = Group.objects.get(name="Auditors")

    response = sign_in(root).post(page_of(alice), form_of(alice, groups=[auditors.pk]))

    assert response.status_code == 302
    assert list(alice.groups.all()) == [auditors]
    event = models.Event.objects.get(verb="change-person")
    assert event.detail == {"before": {"groups": ["Members"]}, "after": {"groups": ["Auditors"]}}
    assert event.address == "127.0.0.1"


def test_a_superuser_deactivates_a_person(root, alice, sign_in):
    sign_in(root).post(page_of(alice), form_of(alice, is_active=None))

    alice.refresh_from_db()
    assert not alice.is_active


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
    data = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
    browser.post("/admin/portal/user/", data)
    assert models.User.objects.filter(pk=alice.pk).exists()
    assert "never deleted" in browser.get(page_of(alice)).content.decode()
    assert "is_staff" not in browser.get(page_of(alice)).content.decode()


@pytest.mark.parametrize("who", ["anna", "olga"])
def test_auditors_and_operators_see_people_without_passwords_and_change_nothing(who, request, alice, sign_in):
    browser = sign_in(request.getfixturevalue(who))

    page = browser.get(page_of(alice)).content.decode()

    assert "Members" in page
    assert "password" not in page.split('id="content"')[1].lower()
    assert alice.password.split("$")[2] not in page
    assert browser.get("/admin/portal/user/").status_code == 200
    assert browser.post(page_of(alice), form_of(alice, is_superuser="on")).status_code == 403
    assert browser.get("/admin/portal/user/add/").status_code == 403
    assert browser.post("/admin/portal/user/add/", {"username": "x"}).status_code == 403
    assert browser.get(page_of(alice, "password")).status_code == 403
    assert browser.post(page_of(alice, "password"), {"password1": "x"}).status_code == 403
    alice.refresh_from_db()
    assert not alice.is_superuser


def test_permissions_given_by_hand_make_no_editor_of_people(alice, anna, sign_in):
    anna.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "add_user"]))

    assert sign_in(anna).post(page_of(alice), form_of(alice)).status_code == 403


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
    told = models.Event.objects.filter(target__startswith="group").order_by("pk").values_list("verb", "actor_name")
    assert list(told) == [("add-group", "root"), ("change-group", "root"), ("delete-group", "root")]


def test_what_is_saved_without_a_change_is_no_event(root, alice, sign_in):
    groups = list(alice.groups.values_list("pk", flat=True))
    assert sign_in(root).post(page_of(alice), form_of(alice, groups=groups)).status_code == 302
    assert not models.Event.objects.filter(verb="change-person").exists()


def test_groups_are_closed_to_everybody_else(anna, olga, sign_in):
    group = Group.objects.get(name="Auditors")

    for user in (anna, olga):
        browser = sign_in(user)
        assert browser.get("/admin/auth/group/").status_code == 403
        assert browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "X"}).status_code == 403
        assert browser.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_superuser_sees_the_events_of_what_was_edited(root, alice, sign_in):
    browser = sign_in(root)
    browser.post(page_of(alice), form_of(alice, first_name="Alicia"))

    link = "/admin/portal/event/?q=%22alice%22"
    assert f'href="{link}">Events</a>' in browser.get(page_of(alice)).content.decode()
    events = browser.get(link).context["cl"].result_list
    assert [event.verb for event in events] == ["change-person"]


def test_a_group_leads_to_its_events_and_its_history(root, sign_in):
    browser = sign_in(root)
    group = Group.objects.get(name="Auditors")
    browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "Auditors", "permissions": []})
    page = browser.get(f"/admin/auth/group/{group.pk}/change/").content.decode()
    link, history = "/admin/portal/event/?target=group+Auditors", f"/admin/auth/group/{group.pk}/history/"
    assert f'href="{link}">Events</a>' in page
    assert f'href="{history}">History</a>' in page
    assert [event.verb for event in browser.get(link).context["cl"].result_list] == ["change-group"]
    assert "permissions: portal.see_all, " in browser.get(history).content.decode()
