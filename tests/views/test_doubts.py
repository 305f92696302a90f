"""What a workstation's page says of a doubt and of a release that is refused, and who may say that it has ended."""

from datetime import timedelta

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from tests import factories

pytestmark = pytest.mark.django_db

PAGE, ENDED, RELEASE = "/workstations/machine/", "/workstations/machine/ended/", "/workstations/machine/release/"


@pytest.fixture
def workstation(alice) -> models.Workstation:
    account = accounts.get_current_account()
    stored = models.Workstation.objects.create(
        account=account, uid="machine", request=factories.submit(alice), type="python", status="active"
    )
    doubt(timedelta(hours=1))
    return stored


def doubt(age: timedelta) -> None:
    models.Workstation.objects.update(doubted_at=Now() - age, doubted_tick=1)


def read(browser) -> str:
    return browser.get(PAGE).content.decode()


def test_a_workstation_in_doubt_is_shown_as_possibly_running(sign_in, workstation, alice):
    page = read(sign_in(alice))
    assert "Not found" in page
    assert "It may still be running and billed" in page
    assert RELEASE in page, "it can still be given back"
    assert ENDED not in page
    assert "Not found" in sign_in(alice).get("/workstations/").content.decode()


def test_the_live_part_tells_of_a_doubt_that_begins(sign_in, workstation, alice):
    models.Workstation.objects.update(doubted_at=None, doubted_tick=None)
    browser = sign_in(alice)
    seen = browser.get(PAGE).context["live"].version
    live = {"path": f"{PAGE}live/", "data": {"seen": seen}, "headers": {"HX-Request": "true"}}
    assert browser.get(**live).status_code == 204
    doubt(timedelta(0))
    assert "Not found" in browser.get(**live).content.decode()


def test_the_first_page_tells_of_it_too(sign_in, workstation, alice):
    models.Workstation.objects.update(doubted_at=None, doubted_tick=None)
    browser = sign_in(alice)
    live = {"data": {"seen": browser.get("/").context["live"].version}, "headers": {"HX-Request": "true"}}
    assert browser.get("/live/", **live).status_code == 204
    doubt(timedelta(0))
    assert "Not found" in browser.get("/live/", **live).content.decode()


def test_after_a_day_its_owner_may_say_that_it_has_ended(sign_in, workstation, alice):
    browser = sign_in(alice)
    assert "has been missing for under a day" in browser.post(ENDED, follow=True).content.decode()
    doubt(timedelta(hours=25))
    assert ENDED in read(browser)
    assert browser.get(ENDED).status_code == 405

    assert "Noted: this workstation has ended" in browser.post(ENDED, follow=True).content.decode()

    workstation.refresh_from_db()
    assert not workstation.is_live
    assert "has already ended" in browser.post(ENDED, follow=True).content.decode()
    assert ENDED not in read(browser)


def test_an_operator_says_it_with_a_reason(sign_in, workstation, olga):
    doubt(timedelta(hours=25))
    assert "Say why" in sign_in(olga).post(ENDED, follow=True).content.decode()
    workstation.refresh_from_db()
    assert workstation.is_live

    sign_in(olga).post(ENDED, {"reason": "The console says so."})

    event = models.Event.objects.get(verb="declare-ended")
    assert (event.actor_name, event.reason, event.request_number) == (
        "olga",
        "The console says so.",
        workstation.request_id,
    )


def test_an_operator_says_it_of_an_orphan_too(sign_in, workstation, olga):
    models.Workstation.objects.update(request=None)
    doubt(timedelta(hours=25))
    sign_in(olga).post(ENDED, {"reason": "The console says so."})
    workstation.refresh_from_db()
    assert not workstation.is_live


def test_nobody_else_may_say_it(sign_in, workstation, bob, anna):
    doubt(timedelta(hours=25))
    for person in (bob, anna):
        assert sign_in(person).post(ENDED, {"reason": "x"}).status_code == 404
    assert ENDED not in read(sign_in(anna))
    workstation.refresh_from_db()
    assert workstation.is_live


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("429", "Rate limit reached (429)"),
        ("422", "AgentStation doesn&#x27;t find it (422)"),
        ("unreadable", "Unreadable response (unreadable)"),
        ("brand-new", "brand-new (brand-new)"),
    ],
)
def test_a_refused_release_is_told_with_its_next_try(sign_in, workstation, alice, code, said):
    models.Workstation.objects.update(
        release_requested_at=Now(),
        release_requested_by=alice,
        release_due_at=Now() + timedelta(minutes=2),
        release_failure=code,
    )
    page = read(sign_in(alice))
    assert said in page
    assert "Next attempt:" in page
    assert "Releasing" in page

    models.Workstation.objects.update(ended_at=Now(), doubted_at=None, doubted_tick=None)
    assert "Next attempt:" not in read(sign_in(alice))
