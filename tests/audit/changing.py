"""Changes of people and groups, as the portal makes them."""

from django.contrib.auth.models import Group
from django.urls import reverse

from portal import models
from portal.services.people import membership


def promote(actor: models.User) -> None:
    change_person(actor, models.User.objects.get(username="bob"), is_superuser=True)


def change_person(actor: models.User, person: models.User, **values: object) -> None:
    before = membership.describe(target=person)
    for name, value in values.items():
        setattr(person, name, value)
    person.save()
    membership.record_change(actor=actor, target=person, before=before)


def change_group(actor: models.User, group: Group, name: str) -> None:
    before = membership.describe(target=group)
    group.name = name
    group.save()
    membership.record_change(actor=actor, target=group, before=before)


def change_by_form(browser, person: models.User, **values: object) -> None:
    data = {"username": person.username, "is_active": "on", "groups": [group.pk for group in person.groups.all()]}
    response = browser.post(reverse("admin:portal_user_change", args=[person.pk]), data | values)
    assert response.status_code == 302
