"""The limits on what runs at once, on pages: the form, the portal's settings, and limits of one person."""

import pytest

from portal import models
from portal.models.clock import Now
from tests import factories
from tests.admin import rows
from tests.browser import forget_password, read
from tests.services.test_running import is_refused, set_limits

pytestmark = pytest.mark.django_db

NEW = "/requests/new/"
REASON = "A workshop."


def test_the_form_says_what_is_left_only_where_there_is_a_limit(sign_in, alice, bob):
    browser = sign_in(alice)
    factories.submit(bob)
    assert "You can request" not in read(browser.get(NEW))
    set_limits(person=2)
    assert "You can request 2 more workstations: you have 0 of at most 2." in read(browser.get(NEW))
    factories.submit(alice)
    set_limits(person=5, team=3)
    words = "You can request 1 more workstation: you have 1 of at most 5, and the team has 2 of at most 3."
    assert words in read(browser.get(NEW))


def test_a_refusal_says_what_counts_and_what_to_do(sign_in, alice, bob, olga):
    waiting, ready, over, others = factories.submit_for(alice, alice, alice, bob)
    factories.update(ready, status="SUCCEEDED", ended_at=Now(), took=1)
    rows.create_workstation(ready, account=ready.account)
    factories.update(over, status="CANCELLED", ended_at=Now(), took=1)
    set_limits(person=2)

    response = sign_in(alice).post(NEW, factories.fill_form(note="Please keep me."))
    shown = read(response)
    assert "No more workstations now: you have 2 of at most 2, waiting requests included. " in shown
    assert "Release or cancel one that you no longer need, wait until another one ends, or ask olga." in shown
    assert "Please keep me." in response.text
    links = [f'href="/requests/{one.pk}/"' in response.text for one in (waiting, ready, over, others)]
    assert links == [True, True, False, False]
    assert models.Request.objects.count() == 4
    event = factories.find_event("refused")
    assert (event.actor_name, event.target) == ("alice", "more than 2 workstations at once")

    set_limits(person=3, team=3)
    assert "the team has 3 of at most 3, waiting" in read(sign_in(alice).post(NEW, factories.fill_form()))
    assert models.Event.objects.latest("id").target == "more than 3 workstations of the team at once"


def test_an_administrator_sets_the_portal_s_limits(sign_in, alice, root):
    browser = sign_in(root)
    values = browser.get("/settings/").context["form"].initial | {"running": 5}
    for wrong in ("-1", "100001", "many", "1.5", ""):
        refused = browser.post("/settings/", values | {"running_per_person": wrong})
        assert refused.status_code == 200
        assert "Enter a whole number from 0 to 100,000." in read(refused)
        assert "Error: Portal settings" in read(refused)
    assert not models.Policy.objects.exists()

    assert browser.post("/settings/", values | {"running_per_person": 1}).status_code == 302
    assert [is_refused(alice) for _ in range(2)] == [False, True]
    assert factories.find_event("change-policy").actor_name == "root"


def test_an_operator_gives_a_person_another_limit(sign_in, bob, anna, olga):
    factories.submit(bob)
    set_limits(person=1)
    browser = sign_in(olga)
    shown = browser.get("/limits/")
    assert [(one.username, number, most) for one, number, most in shown.context["people"]] == [("bob", 1, 1)]
    values = {"person": bob.pk, "limit": 3, "reason": REASON}
    for wrong, words in [
        ({"reason": ""}, "Say why"),
        ({"person": anna.pk}, "This is not in the list."),
        ({"limit": -1}, "Enter a whole number"),
    ]:
        refused = browser.post("/limits/", values | wrong)
        assert words in read(refused)
    assert is_refused(bob)

    assert browser.post("/limits/", values).status_code == 302
    bob.refresh_from_db()
    assert (bob.running_limit, is_refused(bob)) == (3, False)
    event = factories.find_event("set-limit")
    assert (event.actor_name, event.target, event.reason) == ("olga", "user bob", REASON)
    browser.post("/limits/", {"person": bob.pk, "limit": "", "reason": REASON})
    assert factories.reread(bob).running_limit is None


def test_who_may_is_led_to_the_pages(sign_in, alice, anna, olga, root):
    found = [
        tuple(f'href="/{name}/"' in sign_in(person).get("/usage/").text for name in ("limits", "settings", "people"))
        for person in (alice, anna, olga, root)
    ]
    assert found == [(False, False, False), (False, False, False), (True, False, False), (True, True, True)]


def test_who_sets_limits_has_typed_the_password_lately(olga, sign_in):
    browser = sign_in(olga)
    forget_password(browser)
    assert browser.post("/limits/").headers["Location"] == "/accounts/confirm/?next=%2Flimits%2F"
