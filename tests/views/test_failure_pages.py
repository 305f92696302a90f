"""The failure pages: how often each has been met lately, in numbers only."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import failures
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


def meet(person, *, ago=timedelta(0), code="402") -> None:
    ended = timezone.now() - ago
    rows.create_attempt(factories.submit(person), claimed_at=ended, ended_at=ended, failure=code)


def read(browser, code="402") -> str:
    return str(browser.get(f"/failures/{code}/").context["lately"])


def name_zone(*, hour: int) -> str:
    """A zone in which this is the hour now. Its name has the sign that one would not expect."""
    ahead = (hour - timezone.now().hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}"


@pytest.fixture
def noon(settings):
    """It is between twelve and one, in the site's zone."""
    settings.TIME_ZONE = name_zone(hour=12)


def test_who_met_it_hears_how_many_others_did_but_no_names(sign_in, noon, alice, bob, anna):
    for person in (alice, bob, anna):
        meet(person)
    meet(bob, ago=timedelta(hours=3))
    browser = sign_in(alice)
    assert read(browser) == "It is not just you: 3 people in the last hour, 4 times today."
    page = browser.get("/failures/402/").text
    assert "bob" not in page
    assert "anna" not in page


def test_each_failure_leads_to_its_requests_and_back_to_its_place_in_the_list(sign_in, alice, anna):
    listed = sign_in(alice).get("/failures/").text
    for code in failures.CATALOGUE:
        page = " ".join(sign_in(alice).get(f"/failures/{code}/").text.split())
        assert f'href="/requests/?failure={code}"> Your requests that ended like this' in page
        assert f'href="/failures/#failure-{code}"' in page
        assert f'id="failure-{code}"' in listed
    assert "Requests that ended like this" in sign_in(anna).get("/failures/402/").text
