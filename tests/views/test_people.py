"""The pages by which administrators let people in, and the page of the link; the token is nowhere else."""

import logging
import re
from logging.config import DictConfigurator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection

from portal import models
from portal.services.people import invitations
from tests import factories
from tests.browser import Browser

pytestmark = pytest.mark.django_db

NEW = "four words in a row"
CHOSEN = {"password": NEW, "password_again": NEW}


@pytest.fixture(name="admin")
def _sign_in_root(root, sign_in) -> Browser:
    return sign_in(root)


def find_link(response) -> str:
    assert response.status_code == 200
    found = re.search(r'<pre id="sign-in-link" tabindex="0">http://testserver(/join/\S+/)</pre>', response.text)
    assert found is not None
    return found[1]


def add(admin: Browser, name: str = "carol", role: str = "Members") -> str:
    number = Group.objects.get(name=role).pk if role else "administrator"
    return find_link(admin.post("/people/new/", {"username": name, "role": number}))


def invite(root: models.User, person: models.User) -> str:
    return f"/join/{invitations.make_link(actor=root, person=person).token}/"


def test_an_administrator_adds_somebody_who_chooses_a_password_and_is_in(admin, client):
    form = admin.get("/people/new/").text
    assert [label in form for label in ("Member<", "Operator<", "Auditor<", "Administrator<")] == [True] * 4
    response = admin.post("/people/new/", {"username": "carol", "role": Group.objects.get(name="Members").pk})
    link = find_link(response)
    assert "no-store" in response["Cache-Control"]
    assert 'data-copy="sign-in-link"' in response.text
    for path in ("/people/", f"/people/{models.User.objects.get(username='carol').pk}/"):
        assert link.split("/")[2] not in admin.get(path).text, "it is shown once"
    page = client.get(link)
    assert page.status_code == 200
    assert "<bdi>carol</bdi>" in page.text
    assert (page["Referrer-Policy"], "no-store" in page["Cache-Control"]) == ("strict-origin", True)
    assert "The two passwords differ." in client.post(link, CHOSEN | {"password_again": "other words"}).text
    assert client.post(link, CHOSEN).url == "/"
    assert "you are signed in" in client.get("/").text
    assert client.get("/requests/new/").status_code == 200  # as a member
    assert client.get(link).status_code == 404
    assert models.Session.objects.get(user__username="carol").address == "127.0.0.1"
    assert "browser" in client.cookies


def test_a_group_of_the_team_s_own_is_a_role_and_one_that_went_is_not(admin):
    group = Group.objects.create(name="Guests")
    Group.objects.get(name="Auditors").delete()
    page = admin.get("/people/new/").text
    assert ("Guests" in page, "Auditor" in page) == (True, False)
    assert "A group that an administrator" in page
    add(admin, role="Guests")
    assert list(models.User.objects.get(username="carol").groups.all()) == [group]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"username": ""}, ["Choose a username.", "Choose a role."]),
        ({"username": "a b", "role": "99"}, ["A username has letters", "This role no longer exists."]),
        ({"username": "root", "role": "administrator"}, ["Somebody has this name already."]),
        ({"username": "ROOT", "role": "administrator"}, ["Somebody has this name already."]),
    ],
)
def test_a_refused_addition_says_why(admin, values, words):
    page = admin.post("/people/new/", values).text
    assert all(text in page for text in ["Nobody was added yet", *words])
    assert models.User.objects.count() == 1


@pytest.mark.parametrize("reads", [1, 2])
def test_a_role_whose_group_is_deleted_meanwhile_is_refused(admin, reads):
    """After the roles were listed, and after the form was checked."""
    group, seen = Group.objects.create(name="Guests"), []

    def delete_in_between(execute, sql, params, many, context):
        if 'FROM "auth_group"' in sql:
            seen.append(sql)
            if len(seen) == reads + 1:
                Group.objects.filter(pk=group.pk).delete()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(delete_in_between):
        response = admin.post("/people/new/", {"username": "carol", "role": group.pk})

    assert len(seen) > reads
    assert response.context["form"].errors == {"role": ["This role no longer exists. Choose another."]}
    assert not models.User.objects.filter(username="carol").exists()


def test_the_list_is_searched_and_goes_on(admin, django_assert_max_num_queries):
    models.User.objects.bulk_create([models.User(username=f"Guest{number:03}") for number in range(120)])
    admin.get("/people/")
    with django_assert_max_num_queries(13):
        first = admin.get("/people/?name=guest").context["page"]
    assert [person.username for person in first.rows] == [f"Guest{number:03}" for number in range(119, 69, -1)]
    second = admin.get(f"/people/?name=guest&before={first.older}")
    assert second.context["page"].rows[0].username == "Guest069"
    assert f'href="?name=guest&amp;before={second.context["page"].older}"' in second.text
    assert "This has 151 characters" in admin.get(f"/people/?name={'n' * 151}").text


def test_whoever_uses_a_link_where_somebody_is_signed_in_is_signed_in_instead(root, alice, bob, sign_in):
    for here in (alice, bob):  # the person, and another
        browser = sign_in(here)
        key = browser.session.session_key
        assert browser.post(invite(root, alice), CHOSEN).status_code == 302
        assert browser.session["_auth_user_id"] == str(alice.pk)
        assert browser.session.session_key != key
        assert browser.get("/").status_code == 200


def test_a_link_that_does_not_work_says_what_to_do(root, alice, client, admin):
    link = invite(root, alice)
    admin.post(f"/people/{alice.pk}/deactivate/")
    for path in (link, "/join/nonsense/", "/join/0.x/"):
        for response in (client.get(path), client.post(path, CHOSEN)):
            page = response.text
            assert response.status_code == 404
            assert "ask an administrator" in page


def test_somebody_is_deactivated_and_activated_again(admin, root, alice):
    page = f"/people/{alice.pk}/"
    assert "signed out everywhere" in admin.post(f"{page}deactivate/", follow=True).text
    assert "Activate again" in admin.get(page).text
    assert "Activate it first" in admin.post(f"{page}link/", follow=True).text
    assert "is active again" in admin.post(f"{page}activate/", follow=True).text
    assert "Deactivate" in admin.get(page).text

    own = f"/people/{root.pk}/"
    assert "Deactivate" not in admin.get(own).text
    assert "your own account" in admin.post(f"{own}deactivate/", follow=True).text
    assert admin.get(own).status_code == 200


def test_a_name_that_only_looks_like_another_is_refused(admin, alice):
    role = Group.objects.get(name="Members").pk
    for name in ("\u0430lice", "al\u03b9ce", "\U00017000b"):
        assert "letters of one alphabet" in admin.post("/people/new/", {"username": name, "role": role}).text
        assert not models.User.objects.filter(username=name).exists()
    for name in ("алиса-2", "山田たろう", "josé"):
        admin.post("/people/new/", {"username": name, "role": role})
        assert models.User.objects.filter(username=name).exists()


def test_the_token_is_in_no_row_and_no_log(admin, alice, sign_in, client, caplog):
    caplog.set_level(logging.DEBUG, logger="django.request")
    tokens = []
    for link in (add(admin, "carol"), find_link(admin.post(f"/people/{alice.pk}/link/"))):
        tokens.append(link.split("/")[2])
        assert client.get(link).status_code == 200
        assert client.post(link, {}).status_code == 200
        assert client.post(link, CHOSEN).status_code == 302
        for browser in (client, admin):  # one that is used, where somebody is signed in: a refusal is an event
            assert browser.get(link).status_code == 404
    assert set(factories.list_events("refused").values_list("target", flat=True)) == {"GET /join/.../"}
    for model in apps.get_models():
        for row in model._default_manager.values_list():
            assert not [token for token in tokens if token.split(".")[1] in str(row)], model
    for session in models.Session.objects.all():
        assert not [token for token in tokens if token in str(session.get_decoded())]
    logs: dict[str, Any] = settings.LOGGING
    form = DictConfigurator(logs).configure_formatter(dict(logs["formatters"]["line"]))
    lines = [form.format(record) for record in caplog.records]
    assert [line for line in lines if "/join/..." in line]
    assert not [line for line in lines for token in tokens if token in line]


def test_name_and_mail_are_changed_on_the_persons_page(admin, alice):
    page = f"/people/{alice.pk}/"
    assert admin.post(f"{page}details/", {"name": "Alice Liddell", "email": "alice@team.example"}).url == page
    alice.refresh_from_db()
    assert (alice.get_full_name(), alice.email) == ("Alice Liddell", "alice@team.example")
    assert 'value="Alice Liddell"' in admin.get(page).text
    event = factories.find_event("change-person")
    assert (event.actor_name, {*event.detail["after"]}) == ("root", {"first_name", "email"})
    assert "This is no e-mail address." in admin.post(f"{page}details/", {"email": "nobody"}).text


@pytest.mark.parametrize("role", ["Auditors", "Guests", ""])
def test_a_role_is_changed_on_the_persons_page_and_not_ones_own(admin, root, alice, role):
    group = Group.objects.get_or_create(name=role)[0] if role else None
    chosen = str(group.pk) if group else "administrator"
    alice.user_permissions.set([1])
    path = f"/people/{alice.pk}/role/"
    assert "This role no longer exists." in admin.post(path, {"role": "999"}).text
    own = admin.post(f"/people/{root.pk}/role/", {"role": chosen}, follow=True).text
    assert "change your own role" in own
    assert admin.post(path, {"role": chosen}).status_code == 302
    alice = models.User.objects.get(pk=alice.pk)
    assert alice.is_superuser == (not role)
    assert {*alice.groups.values_list("name", flat=True)} == ({role} if role else {"Members", "Operators"})
    assert not alice.user_permissions.exists()
    assert factories.find_event("change-person").actor_name == "root"
    assert re.findall(r'value="([^"]+)"[^>]*\bchecked', admin.get(f"/people/{alice.pk}/").text) == [chosen]
