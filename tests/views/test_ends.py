"""When a workstation ends, on pages: chosen with the form, shown, and changed."""

import re

import pytest

from portal import models
from tests import factories
from tests.browser import read
from tests.lives.test_ends import REASON, read_left

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "/requests/new/"


def ask(browser, **changes: object) -> str:
    factories.mark_baseline_scan()
    response = browser.post(NEW, factories.fill_form(**changes))
    assert response.status_code == 302, response.context["form"].errors
    return models.Request.objects.latest("id").lifetime


def test_the_form_offers_what_is_decided(sign_in, alice):
    browser = sign_in(alice)
    field = browser.get(NEW).context["form"]["lifetime"]
    offered = [("2h", "2 hours"), ("8h", "8 hours"), ("24h", "24 hours"), ("7d", "7 days")]
    assert field.field.widget.choices == [*offered, ("none", "No end: until it is released")]
    assert field.value() == ask(browser) == "8h"
    assert [ask(browser, lifetime=lifetime) for lifetime in ("none", "20s", "3h")] == ["none", "20s", "3h"]
    factories.set_policy(lifetimes="30m 1d", lifetime="1d")
    shown = browser.get(NEW)
    assert "No end" not in read(shown)
    assert re.search(r'value="1d"[^>]* checked[^>]*><span>1 day</span>', shown.text)


def test_what_is_no_lifetime_or_too_long_is_refused(sign_in, alice):
    factories.set_policy(lifetimes="2h 8h", lifetime="2h")
    wrong = {"soon": "This is not in the list.", "0h": "not in the list", "9h": "too long", "none": "too long"}
    for lifetime, words in wrong.items():
        response = sign_in(alice).post(NEW, factories.fill_form(lifetime=lifetime))
        assert response.status_code == 200
        assert words in str(response.context["form"].errors["lifetime"])
    assert not models.Request.objects.exists()


def test_its_end_stands_where_it_does_and_one_press_moves_it(sandbox, sign_in, alice):
    workstation = factories.create_workstation(alice, lifetime="2h")
    browser, page = sign_in(alice), f"/workstations/{workstation.uid}/"
    assert "1 h 59 min left" in read(browser.get("/"))
    for address in (page, "/workstations/", f"{page}desktop/", f"{page}live/"):
        assert "Ends in 1 h 59 min." in read(browser.get(address)), address
    response = browser.post(f"{page}end/", {"longer": "2h"}, follow=True)
    assert "Ends in 3 h 59 min." in read(response)
    response = browser.post(f"{page}end/", {"lifetime": "none"}, follow=True)
    assert "No end is set." in read(response)
    assert "The workstation runs until you release it or it ends." in read(response)


def test_only_its_owner_changes_it_and_an_operator_with_a_reason(sandbox, sign_in, alice, bob, anna, olga):
    workstation = factories.create_workstation(alice, lifetime="2h")
    address = f"/workstations/{workstation.uid}/end/"
    assert [sign_in(person).post(address, {"lifetime": "8h"}).status_code for person in (bob, anna)] == [404, 404]
    operator = sign_in(olga)
    assert "Choose after how long" in read(sign_in(alice).post(address, {}, follow=True))
    assert "Say why" in read(operator.post(address, {"lifetime": "8h"}, follow=True))
    assert read_left(workstation) == 120.0
    factories.set_policy(lifetimes="2h 4h", lifetime="2h")
    operator.post(address, {"lifetime": "8h", "reason": REASON})
    assert read_left(workstation) == 480.0
    operator.post(address, {"lifetime": "none", "reason": REASON})
    shown = operator.get(f"/workstations/{workstation.uid}/").text
    assert '<option value="none">No end: until it is released</option>' in shown
    event = factories.list_events("set-end").earliest("id")
    assert (event.actor_name, event.reason) == ("olga", REASON)
    assert "Keep 2 h longer" not in read(operator.get(f"/workstations/{workstation.uid}/"))
