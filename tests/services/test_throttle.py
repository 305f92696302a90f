"""Guessing passwords is slowed down, for names that nobody has too, and locks nobody out of their own browser."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from portal import models
from portal.accounts import passwords
from portal.services.limits import limits, throttle
from portal.services.reports import readiness
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


def try_name(client, name: str, password: str = "wrong", *, address: str = "203.0.113.9"):
    return client.post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


def let_waits_pass() -> None:
    models.Limit.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_after_five_failures_a_name_has_to_wait_and_longer_each_time(client, alice, name):
    responses = [try_name(client, name, address=f"203.0.113.{number}") for number in range(7)]
    assert [response.status_code for response in responses] == [200] * 5 + [429] * 2
    assert responses[5].headers["Retry-After"] in ("9", "10")
    page = responses[5].content.decode()
    assert "Too many wrong passwords or codes" in page
    assert f'value="{name}"' in page
    # Not even the right password is looked at.
    assert try_name(client, name, factories.PASSWORD).status_code == 429

    let_waits_pass()
    assert try_name(client, name).status_code == 200
    assert int(try_name(client, name).headers["Retry-After"]) in (19, 20)


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_try_that_has_to_wait_stands_in_no_queue(client, alice, name, monkeypatch, django_assert_num_queries):
    for _ in range(5):
        try_name(client, name)
    monkeypatch.setattr(passwords, "STRANGERS", passwords.Gate(places=1, waiting=0))
    with passwords.STRANGERS.enter(), django_assert_num_queries(1):
        assert try_name(client, name).status_code == 429


def test_an_address_has_to_wait_after_twenty_names_and_others_do_not(client, alice):
    for number in range(20):
        assert try_name(client, f"name-{number}").status_code == 200
    assert try_name(client, "alice", factories.PASSWORD).status_code == 429
    assert try_name(client, "alice", factories.PASSWORD, address="203.0.113.10").status_code == 302


def test_sharing_an_address_with_a_guesser_locks_nobody_out_of_their_own_browser(client, alice, root, sign_in):
    at_work = {"REMOTE_ADDR": "203.0.113.9"}
    assert try_name(client, "alice", factories.PASSWORD).status_code == 302
    client.post("/accounts/logout/")
    administrator, new = sign_in(root), "another long passphrase"
    for number in range(20):
        try_name(type(client)(), f"name-{number}")
    for _ in range(6):  # and by their names, from elsewhere
        try_name(type(client)(), "root", address="198.51.100.1")
    assert try_name(type(client)(), "bob").status_code == 429, "a new browser waits"
    assert try_name(client, "alice", factories.PASSWORD).status_code == 302
    values = {"password": factories.PASSWORD, "next": "/people/"}
    assert administrator.post("/accounts/confirm/", values, **at_work).status_code == 302
    values = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert administrator.post("/accounts/password/", values, **at_work).status_code == 302


def test_a_network_of_ipv6_counts_as_one_address(client):
    for number in range(20):
        try_name(client, f"name-{number}", address=f"2001:db8::{number:x}")
    assert try_name(client, "another", address="2001:db8::ffff").status_code == 429
    assert try_name(client, "another", address="2001:db8:0:1::1").status_code == 200


def test_a_trusted_proxy_s_own_address_does_not_count(client):
    for number in range(25):
        assert try_name(client, f"name-{number}", address="127.0.0.1").status_code == 200


def test_a_browser_in_which_a_name_signed_in_is_let_through_while_others_guess_it(client, alice, bob):
    assert try_name(client, "alice", factories.PASSWORD).status_code == 302
    client.post("/accounts/logout/")
    for number in range(6):
        status = try_name(type(client)(), "alice", address=f"198.51.100.{number}").status_code
    assert status == 429
    # Only for this name, and not for ever: what is guessed in it counts for the browser.
    assert try_name(client, "alice").status_code == 200
    assert try_name(client, "alice", factories.PASSWORD).status_code == 302
    client.post("/accounts/logout/")
    statuses = [try_name(client, "alice", address=f"198.51.100.{number}").status_code for number in range(20, 31)]
    assert statuses == [200] * 10 + [429]
    targets = {(event.detail["of"], event.target) for event in factories.list_events("sign-in-blocked")}
    assert targets == {("name", "user alice"), ("browser", "user alice")}


def test_the_right_password_takes_back_what_was_counted_against_the_name(client, alice):
    for _ in range(4):
        try_name(client, "alice")
    assert try_name(client, "alice", factories.PASSWORD).status_code == 302
    counted = models.Limit.objects.filter(kind__in=("name", "address"))
    assert list(counted.values_list("kind", "count", "blocked_until")) == [("address", 4, None)]


@pytest.mark.parametrize(("name", "password"), [("alice", ""), ("", "wrong"), ("ali\0ce", "wrong")])
def test_a_form_that_lacks_something_or_has_a_name_that_nobody_can_have_is_no_try(client, name, password):
    for _ in range(6):
        assert try_name(client, name, password).status_code == 200
    assert not models.Limit.objects.exists()


@pytest.mark.parametrize("padding", [" " * 150, "\u3000" * 149, "\t"])
def test_white_space_around_a_name_is_no_way_past(client, alice, padding):
    statuses = [try_name(client, f"{padding}alice").status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    assert try_name(client, "alice", factories.PASSWORD).status_code == 429


def test_a_name_that_is_too_long_is_counted_and_not_repeated(client):
    name = "a" * 30_000
    assert [try_name(client, name).status_code for _ in range(6)] == [200] * 5 + [429]
    assert len(try_name(client, name).content) < 20_000


def test_the_present_password_is_not_to_be_guessed_on_the_page_that_changes_it(alice, sign_in):
    browser, new = sign_in(alice), "another long passphrase"
    values = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    statuses = [browser.post("/accounts/password/", values).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    assert "Too many wrong passwords or codes" in browser.post("/accounts/password/", values).content.decode()
    let_waits_pass()
    assert browser.post("/accounts/password/", {**values, "old_password": ""}).status_code == 200
    right = {**values, "old_password": factories.PASSWORD}
    # A new one that is refused is no guess.
    for _ in range(9):
        assert browser.post("/accounts/password/", {**right, "new_password2": "mistyped"}).status_code == 200
    assert browser.post("/accounts/password/", right).status_code == 302
    assert models.Limit.objects.get(kind="failure").left_out == 9


def test_each_wait_is_an_event_and_operators_see_that_somebody_guesses(client, alice, anna, sign_in):
    for _ in range(7):
        try_name(client, "alice")
    event = factories.find_event("sign-in-blocked")
    assert (event.target, event.address, event.detail["failures"]) == ("user alice", "203.0.113.9", 5)
    assert "1 name, address or browser" in sign_in(anna).get("/admin/").content.decode()
    assert any("guess passwords" in warning for warning in readiness.find_warnings())


def test_what_was_counted_by_a_clock_that_was_ahead_blocks_nobody(client, alice):
    for _ in range(5):
        try_name(client, "alice")
    models.Limit.objects.update(blocked_until=timezone.now() + timedelta(days=400))
    assert try_name(client, "alice", factories.PASSWORD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_tries_at_one_time_are_all_counted():
    subjects = {limits.NAME: "alice", limits.ADDRESS: "203.0.113.9"}
    done = crowd.run_together(*[partial(throttle.count_try, subjects=subjects)] * 10)
    done += crowd.run_together(*[partial(throttle.count_try, subjects=subjects)] * 10)
    assert sum(not isinstance(one, Exception) for one in done) == 5
    assert sum(isinstance(one, throttle.TooManyFailures) for one in done) == 15
