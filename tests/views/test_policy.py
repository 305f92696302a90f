"""The portal's settings on their page: lifetimes, second factors, and who is told of what."""

import pytest

from portal import models
from portal.accounts import factors
from portal.services.notifications import messages
from portal.services.people import policy
from tests import factories
from tests.browser import Browser, read

pytestmark = pytest.mark.django_db

PAGE = "/settings/"


def fill(browser: Browser, **changes: object) -> dict[str, object]:
    return browser.get(PAGE).context["form"].initial | changes


def save(browser: Browser, **changes: object) -> models.Policy:
    assert browser.post(PAGE, fill(browser, **changes)).status_code == 302
    return models.Policy.objects.get()


def test_without_a_mail_server_the_page_says_that_nothing_is_mailed(sign_in, root, settings):
    browser, words = sign_in(root), "No mail server is set"
    assert words in browser.get(PAGE).text
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    assert words not in browser.get(PAGE).text


def test_what_is_saved_unchanged_is_no_change_and_lifetimes_are_tidied(sign_in, root):
    browser = sign_in(root)
    save(browser)
    assert not factories.list_events("change-policy").exists()
    assert save(browser, lifetimes=" 2h,  4h 2h", lifetime="4h").lifetimes == "2h 4h"
    event = factories.find_event("change-policy")
    assert (event.actor_name, event.detail["after"]["lifetimes"]) == ("root", "2h 4h")


def test_lifetimes_that_would_break_the_form_are_refused(sign_in, root):
    browser, many = sign_in(root), " ".join(f"{number}h" for number in range(1, 22))
    for lifetimes, lifetime, words in (
        ("", "8h", "This field is required."),
        *((odd, odd.split()[-1], "Write such as 2h 8h 7d none") for odd in ("2h 8x", "٢h", "0008h")),
        (many, "1h", "Offer from 1 to 20 lifetimes."),
        ("2h 4h", "8h", "Choose one of the lifetimes that are offered."),
    ):
        refused = browser.post(PAGE, fill(browser, lifetimes=lifetimes, lifetime=lifetime))
        assert refused.status_code == 200
        assert words in read(refused)
    assert not models.Policy.objects.exists()


def test_who_must_have_a_second_factor_is_asked_at_the_next_sign_in(sign_in, root, alice):
    save(sign_in(root), second_factor="everybody")
    session: dict[str, object] = {}
    factors.require_factor(session=session, person=alice)  # type: ignore[arg-type]  # as much of one as it needs
    assert session


def test_what_is_mailed_and_what_channels_get_is_chosen(sign_in, root, alice):
    browser = sign_in(root)
    form = browser.get(PAGE).context["form"]
    assert [kind for kind, _words in messages.list_all() if kind not in form["mailed"].value()] == ["unassigned"]
    decided = save(browser, mailed=["unassigned", "log"], sent=["paused"])

    assert [messages.wants_mail(person=alice, kind=kind, decided=decided) for kind in ("failed", "log")] == [
        False,
        True,
    ]
    alice.mail_choices = {"failed": True}
    assert messages.wants_mail(person=alice, kind="failed", decided=decided)
    sent = [messages.is_for_channels(kind=kind, decided=decided) for kind in ("paused", "review", "failed")]
    assert sent == [True, False, False]
    assert policy.read_policy() == decided


def test_whom_to_turn_to_and_whether_calls_go_on_are_chosen(sign_in, root):
    browser = sign_in(root)
    decided = save(browser, support_contact=" Cloud desk ", passes_on="on")
    assert (decided.support_contact, decided.passes_on) == ("Cloud desk", True)
    decided = save(browser, support_contact="", passes_on="")
    assert (decided.support_contact, decided.passes_on) == ("", False)
