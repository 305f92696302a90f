"""The limits on what runs at once are exact, however many submit at the same moment."""

from collections.abc import Sequence
from functools import partial

import pytest

from portal import models
from portal.services.requests import running
from tests import factories
from tests.concurrency import crowd

pytestmark = pytest.mark.django_db(transaction=True)


def race(people: Sequence[models.User], each: int) -> list[int]:
    """How many of these submissions at once were taken, and how many were refused.

    There are more of them than connections to PostgreSQL: each takes one when it comes to that.
    """
    factories.mark_baseline_scan()
    before = models.Request.objects.count()
    futures = [crowd.start(partial(factories.submit, person)) for person in [*people] * each]
    errors = [error for future in futures if (error := future.exception(timeout=60))]
    assert {type(error) for error in errors} <= {running.Reached}, errors
    taken = models.Request.objects.count() - before
    assert taken + len(errors) == len(futures)
    return [taken, len(errors)]


def test_of_fifty_submissions_of_one_person_ten_are_taken(alice):
    factories.set_policy(running_per_person=10)
    assert race([alice], 50) == [10, 40]


def test_of_fifty_submissions_of_ten_people_ten_are_taken_and_three_of_each_at_most(db):
    factories.set_policy(running=10, running_per_person=3)
    people = [factories.create_user(f"person{number}", "Members") for number in range(10)]
    assert race(people, 5) == [10, 40]
    counts = running.count_by_person(account=models.Account.objects.get())
    assert sum(counts.values()) == 10
    assert max(counts.values()) <= 3
