"""What is said of a workstation that is missing, and of a release that is refused; who may say that it has ended."""

from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db

PAGE, ENDED, RELEASE = "/workstations/machine/", "/workstations/machine/ended/", "/workstations/machine/release/"


@pytest.fixture
def workstation(alice) -> models.Workstation:
    account = accounts.get_current_account()
    stored = rows.create_workstation(factories.submit(alice), account=account, uid="machine")
    miss(timedelta(hours=1))
    return stored


def miss(age: timedelta) -> None:
    models.Workstation.objects.update(missing_since=Now() - age, missing_tick=1)


def read(browser) -> str:
    return browser.get(PAGE).text


def test_a_missing_workstation_is_shown_as_possibly_running(sign_in, workstation, alice, anna):
    page = read(sign_in(alice))
    assert "Not found" in page
    assert "It may still be running and billed" in page
    assert RELEASE in page, "it can still be given back"
    assert ENDED not in page
    miss(timedelta(hours=25))
    assert ENDED not in read(sign_in(anna))
    assert "Not found" in sign_in(alice).get("/workstations/").text


@pytest.mark.parametrize("is_orphan", [False, True])
def test_an_operator_says_it_with_a_reason(sign_in, workstation, olga, is_orphan):
    models.Workstation.objects.update(request=None if is_orphan else workstation.request_id)
    miss(timedelta(hours=25))
    assert "Say why" in sign_in(olga).post(ENDED, follow=True).text
    sign_in(olga).post(ENDED, {"reason": "The console says so."})
    workstation.refresh_from_db()
    event = factories.find_event("ended")
    assert (event.actor_name, event.reason) == ("olga", "The console says so.")
    assert (event.request_number, workstation.is_live) == (workstation.request_id, False)


def test_after_a_day_its_owner_may_say_that_it_has_ended(sign_in, workstation, alice):
    browser = sign_in(alice)
    assert "has been missing for under a day" in browser.post(ENDED, follow=True).text
    miss(timedelta(hours=25))
    assert ENDED in read(browser)
    assert browser.get(ENDED).status_code == 405

    assert "Noted: this workstation has ended" in browser.post(ENDED, follow=True).text
    assert not models.Workstation.objects.get().is_live
    assert "has already ended" in browser.post(ENDED, follow=True).text
    assert ENDED not in read(browser)
