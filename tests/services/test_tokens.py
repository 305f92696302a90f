"""Tokens: their form, their lives, and what they may be used for."""

import re
import string
import zlib
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.tokens import tokens
from tests import factories
from tests.tokens import make_token

pytestmark = pytest.mark.django_db
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def decode(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + DIGITS.index(digit)
    return number


def test_it_is_random_and_ends_in_a_checksum(alice):
    texts = {make_token(alice).text for _ in range(50)}
    assert len(texts) == 50
    for text in texts:
        assert re.fullmatch("wsp_[0-9A-Za-z]{36}", text)
        assert decode(text[-6:]) == zlib.crc32(text[:-6].encode())
    assert 62**30 > 2**160


def test_it_is_found_by_its_whole_text_alone(alice):
    made = make_token(alice, "read")
    found = tokens.find_token(text=made.text, address="127.0.0.1")
    assert found == made.row
    assert made.row.scopes == "read"
    for other in ("", made.text[:-1], made.text + "x", made.text.lower(), made.row.token_hash):
        assert tokens.find_token(text=other, address="127.0.0.1") is None


def test_a_wrong_one_takes_as_many_looks_as_a_right_one(alice, django_assert_num_queries):
    made = make_token(alice)
    for text in (made.text, "wsp_", "x" * 10_000):
        with django_assert_num_queries(1):
            tokens.find_token(text=text, address="127.0.0.1")


def test_making_and_ending_one_are_events(alice, root):
    made = make_token(alice, "release", "read", lifetime=timedelta(days=3))
    assert made.row.ends_at is not None
    assert timedelta(days=2) < made.row.ends_at - timezone.now() <= timedelta(days=3, minutes=1)
    for _ in range(2):
        tokens.end_token(token=made.row, by=root)

    making, ending = models.Event.objects.order_by("pk")
    assert (making.verb, making.actor_name, making.target) == ("make-token", "alice", f"token {made.row.pk} a program")
    assert making.detail == {"person": "alice", "scopes": ["read", "release"]}
    assert (ending.verb, ending.actor_name, ending.detail["person"]) == ("end-token", "root", "alice")
    assert tokens.find_token(text=made.text, address="127.0.0.1") is None


def test_its_use_is_noted_once_a_minute(alice, django_assert_num_queries):
    made = make_token(alice)
    tokens.note_use(token=made.row)
    made.row.refresh_from_db()
    assert made.row.last_used_at
    with django_assert_num_queries(0):
        tokens.note_use(token=made.row)
    made.row.last_used_at -= timedelta(seconds=61)
    with django_assert_num_queries(1):
        tokens.note_use(token=made.row)


@pytest.mark.parametrize(
    ("group", "scopes"),
    [("Members", ["read", "request", "release", "open"]), ("Auditors", ["read", "release", "open"])],
)
def test_it_can_do_no_more_than_its_person(group, scopes):
    person = factories.create_user("carol", group)
    assert tokens.list_scopes(person=person) == scopes
    token = make_token(person).row
    for scope in models.Token.Scope:
        assert tokens.may_use(token=token, scope=scope) == (scope in scopes)


@pytest.mark.parametrize(
    ("addresses", "works", "does_not"),
    [
        ("", ["10.0.0.1", "2001:db8::1", ""], []),
        ("10.0.0.2", ["10.0.0.2"], ["10.0.0.3", "2001:db8::1", ""]),
        ("10.1.0.0/16, 2001:db8::/32", ["10.1.9.9", "2001:db8:1::"], ["10.2.0.0", "2001:db9::", ""]),
        ("0.0.0.0/0", ["203.0.113.9"], ["2001:db8::1", ""]),
    ],
)
def test_it_may_work_from_some_networks_alone(alice, addresses, works, does_not):
    made = make_token(alice, addresses=tokens.read_networks(text=addresses))
    found = {one: tokens.find_token(text=made.text, address=one) for one in (*works, *does_not)}
    assert found == dict.fromkeys(works, made.row) | dict.fromkeys(does_not)


@pytest.mark.parametrize(
    "text", ["10.0.0.1/16", "10.0.0", "example.org", "10.0.0.0/33", "fe80::1%eth0/64", "10.0.0.1;10.0.0.2"]
)
def test_what_is_no_network_is_refused(text):
    with pytest.raises(tokens.NoNetworks):
        tokens.read_networks(text=text)


def test_only_somebody_ends_it(alice):
    row = make_token(alice).row
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.update(row, ended_at=Now())
