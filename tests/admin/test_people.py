"""People and groups: superusers edit groups, auditors and operators look, nobody deletes a person."""

import pytest
from django.contrib.auth.models import Group

from portal import models

pytestmark = pytest.mark.django_db


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
