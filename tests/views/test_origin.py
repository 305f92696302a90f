"""The address that an act came from: a proxy is believed only where it is named."""

import pytest
from django.test import RequestFactory

from portal import middleware, models
from portal.services import origin
from tests import factories


@pytest.mark.parametrize(
    ("peer", "header", "found"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "1.1.1.1, 198.51.100.1, 10.0.0.3", "198.51.100.1"),
        ("10.0.0.2", "1.1.1.1, not-an-address", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_a_proxy_is_believed_only_where_it_is_named(settings, peer, header, found):
    settings.PORTAL_TRUSTED_PROXY = ["10.0.0.2", "10.0.0.3"]
    headers = {"X-Forwarded-For": header} if header else {}
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)
    assert middleware.find_address(request) == found


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_act_is_recorded_with_its_address_and_what_the_portal_does_without(sandbox, alice, sign_in):
    portal_request = factories.submit(alice)
    sign_in(alice).post(f"/requests/{portal_request.pk}/cancel/", REMOTE_ADDR="203.0.113.9")
    addresses = dict(models.Event.objects.values_list("verb", "address"))
    assert (addresses["submit"], addresses["cancel"]) == ("", "203.0.113.9")
    assert origin.get_address() == ""
