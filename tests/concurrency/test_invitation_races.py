"""Links and accounts of people at the same moment: a link is used once, and one administrator always stays."""

from functools import partial

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import PermissionDenied
from django.db import transaction

from portal import environment, models
from portal.accounts import identities
from portal.services.audit import verify
from portal.services.people import invitations, links, membership
from tests import factories
from tests.concurrency import crowd

ROUNDS = 3
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _tell_of_root(root) -> None:
    membership.record_set_up(person=root)


def test_two_with_the_same_link_choose_one_password(root):
    for number in range(ROUNDS):
        invitation = factories.add_person(root, f"carol{number}")
        words = [f"four words in a row {place}" for place in range(3)]
        steps = [partial(invitations.use_link, token=invitation.token, password=word) for word in words]
        results = crowd.run_together(*steps)
        won = [word for word, result in zip(words, results, strict=True) if isinstance(result, models.User)]
        assert [type(result) for result in results].count(links.LinkNotValid) == 2, results
        assert models.User.objects.get(pk=invitation.person.pk).check_password(won[0])
    assert factories.list_events("use-link").count() == ROUNDS
    assert verify.verify_log(rows=True).findings == []


def test_two_administrators_who_lock_out_each_other_do_not_both_go(root):
    other = factories.add_person(root, "second", group="").person
    lock_out = partial(invitations.set_active, is_active=False)
    for _ in range(ROUNDS):
        results = crowd.run_together(
            partial(lock_out, actor=root, person=other), partial(lock_out, actor=other, person=root)
        )
        assert [type(result) for result in results].count(PermissionDenied) == 1, results
        left = models.User.objects.get(is_superuser=True, is_active=True)
        invitations.set_active(actor=left, person=other if left == root else root, is_active=True)


def test_whoever_is_locked_out_while_they_use_their_link_is_out(root):
    for number in range(ROUNDS):
        invitation = factories.add_person(root, f"dora{number}")
        person = invitation.person
        used, locked_out = crowd.run_together(
            partial(invitations.use_link, token=invitation.token, password="four words in a row"),
            partial(invitations.set_active, actor=root, person=person, is_active=False),
        )
        assert isinstance(used, models.User | links.LinkNotValid), used
        assert locked_out is None
        assert not models.User.objects.get(pk=person.pk).is_active
    assert verify.verify_log(rows=True).findings == []


def test_an_address_links_once_whoever_comes_with_it_at_the_same_moment():
    person = factories.create_user("clara", "Members", email="clara@example.com")
    issuer = environment.Issuer(
        name="acme",
        url="https://acme.example",
        client_id="",
        client_secret="",
        roles={},
        can_sign_up=False,
        domains=frozenset({"example.com"}),
    )
    claims = {"email": person.email, "email_verified": True}
    with transaction.atomic():
        first = identities.admit(issuer=issuer, claims=claims | {"sub": "first"})
        second = crowd.start(partial(identities.admit, issuer=issuer, claims=claims | {"sub": "second"}))
        crowd.assert_waits(second)
    assert first == person
    assert isinstance(second.exception(), identities.NotAdmitted)
    assert SocialAccount.objects.get().uid == "first"
