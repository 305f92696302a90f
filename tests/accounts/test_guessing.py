"""Somebody guesses from twenty addresses, and the owner gets in; `make bench PARTS=doors` guesses a thousand times."""

import pytest

from portal import models
from tests import factories
from tests.bench import guesses

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("kind", "looked_at"), [("password", 5), ("code", 2), ("recovery code", 2)])
def test_few_guesses_are_looked_at_and_the_owner_gets_in(kind, looked_at):
    """Of codes fewer: the password that comes before each is counted, too."""
    answers = guesses.guess_many(kind, count=50)
    assert answers[200] - looked_at in (0, 1)  # one more where it takes longer than the first wait
    assert answers.total() == answers[200] + answers[429] == 50
    event = factories.find_event("sign-in-failed")
    left = models.Limit.objects.get(kind="failure")
    assert event.detail["count"] + left.left_out == answers[200]
    assert {*event.detail["addresses"], *left.addresses} <= {*guesses.ADDRESSES}
