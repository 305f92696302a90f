"""What people may do: the same as Django says, asked in one query."""

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from portal import models
from tests import factories

pytestmark = pytest.mark.django_db


def list_allowed(person: models.User) -> set[str]:
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return {name for name in map(".".join, rows) if person.has_perm(name)}


@pytest.mark.parametrize("groups", [(), ("Members",), ("Auditors",), ("Members", "Operators")])
@pytest.mark.parametrize("own", [(), ("submit_request", "see_all")])
@pytest.mark.parametrize("values", [{}, {"is_active": False}, {"is_superuser": True}])
def test_a_person_may_do_what_django_says(db, groups, own, values):
    person = factories.create_user("carol", *groups, **values)
    person.user_permissions.set(Permission.objects.filter(codename__in=own))
    told = ModelBackend().get_all_permissions(models.User.objects.get(pk=person.pk))
    assert list_allowed(person) == told
    for app_label in ("portal", "auth", "nowhere"):
        is_told = person.is_active and (person.is_superuser or any(name.startswith(f"{app_label}.") for name in told))
        assert person.has_module_perms(app_label) == is_told


def test_all_of_it_is_asked_once(alice, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert alice.has_perm("portal.submit_request")
        assert not alice.has_perm("portal.see_all")
        assert alice.has_module_perms("portal")


def test_nobody_but_an_administrator_has_a_permission_for_one_row_alone(alice, root):
    assert not alice.has_perm("portal.submit_request", alice)
    assert root.has_perm("portal.submit_request", alice)
