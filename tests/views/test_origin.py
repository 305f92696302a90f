"""The address that an act came from: a proxy is believed only where it is named."""

from ipaddress import ip_network

import pytest
from django.contrib.auth.models import Group
from django.test import RequestFactory

from portal import models
from portal.services.audit import events
from portal.web import client_address, middleware
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
        ("10.0.0.2", "fe80::1%eth0", "10.0.0.2"),
        ("10.0.0.4", "198.51.100.1", "10.0.0.4"),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:5::7", "2001:db8::1", "2001:db8::1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_a_proxy_is_believed_only_where_it_is_named(settings, peer, header, found):
    settings.PORTAL_TRUSTED_PROXY = [ip_network("10.0.0.2/31"), ip_network("2001:db8:5::/48")]
    headers = {"X-Forwarded-For": header} if header else {}
    assert client_address.find_address(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)) == found


@pytest.mark.django_db(transaction=True)
def test_an_act_is_recorded_with_its_address_and_what_the_portal_does_without(sandbox, alice, sign_in):
    sign_in(alice).post(f"/requests/{factories.submit(alice).pk}/cancel/", REMOTE_ADDR="203.0.113.9")
    addresses = dict(models.Event.objects.values_list("verb", "address"))
    assert (addresses["submit"], addresses["cancel"]) == ("", "203.0.113.9")
    assert events._ORIGIN.get() == events.Origin()


def test_the_id_of_an_http_request_comes_from_a_named_proxy_or_is_new(settings):
    settings.PORTAL_TRUSTED_PROXY = [ip_network("10.0.0.2")]
    odd = [("10.0.0.2", text) for text in ("x" * 65, "short", "<script>alert</script>", "")]
    for peer, given in [("10.0.0.2", "from-the-proxy.1"), ("203.0.113.9", "from-anybody"), *odd]:
        request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Request-ID": given})
        first, second = middleware.find_id(request), middleware.find_id(request)
        assert (first == given) == (first == second) == (given == "from-the-proxy.1")
        assert middleware._ID.fullmatch(first)


@pytest.mark.django_db
def test_all_that_one_click_did_has_one_id_and_is_found_by_it(root, alice, sign_in):
    browser = sign_in(root)
    group = Group.objects.get(name="Members")
    number = browser.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).headers["X-Request-ID"]
    events = models.Event.objects.filter(http_request=number).order_by("id")
    assert [event.verb for event in events] == ["change-person", "delete-group"]
    found = browser.get("/admin/portal/event/", {"q": number})
    assert [event.verb for event in found.context["cl"].result_list] == ["delete-group", "change-person"]
    assert browser.get("/").headers["X-Request-ID"] != number
