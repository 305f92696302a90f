"""The form, the history, one request, cancelling and closing."""

import pytest

from portal import models
from tests import factories
from tests.browser import read

pytestmark = pytest.mark.django_db

NEW = "/requests/new/"


def test_a_good_form_leads_to_the_request_s_page_and_its_note_keeps_marks_that_turn_the_writing(sign_in, alice):
    response = sign_in(alice).post(NEW, factories.fill_form(note="\u202ehello"))

    portal_request = models.Request.objects.get()
    assert (response.status_code, response.url) == (302, f"/requests/{portal_request.pk}/")
    assert (portal_request.requester, portal_request.note) == (alice, "\u202ehello")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": ""}, "Choose a workstation type."),
        *(({"type": odd}, "AgentStation doesn't offer this type.") for odd in ("mainframe", "py\x00thon")),
        *(({"workspace_id": odd}, "ID has 1 to 64") for odd in ("two words", "x" * 65, "abc\u202e", "ümlaut")),
        *(({field: "abc\x00"}, "This has a character that can't be stored.") for field in ("workspace_id", "note")),
        ({"workspace_name": "x" * 61}, "Shorten it to 60 or fewer."),
        ({"workspace_name": "Plan", "workspace_id": "abc"}, "Only a new workspace gets a name."),
        ({"workspace_name": "Plan", "place": "abc"}, "Only a new workspace gets a name."),
        ({"workspace_name": "Plan", "place": "+other"}, "Only a new workspace gets a name."),
        ({"note": "x" * 501}, "Shorten it to 500 or fewer."),
        ({"submission": ""}, "lost its number"),
        *(({"submission": odd}, "was damaged") for odd in ("17", "\x00")),
    ],
)
def test_a_bad_form_comes_back_with_words_beside_the_field(sign_in, alice, changes, words):
    response = sign_in(alice).post(NEW, factories.fill_form(**changes))

    assert response.status_code == 200
    assert words in read(response)
    assert "Nothing was requested" in response.text
    assert str(changes.get("note", "")).strip("\x00") in response.text, "nothing is cut"
    assert models.Request.objects.count() == 0


def test_the_same_form_again_leads_to_the_same_request_and_with_other_values_gets_a_new_number(sign_in, alice):
    browser, values = sign_in(alice), factories.fill_form(workspace_name="Plan")
    assert browser.post(NEW, values).url == browser.post(NEW, values).url
    assert models.Request.objects.count() == 1
    for wrong in ({"type": "max"}, {"workspace_name": "Another"}, {"submission": "17"}):
        response = browser.post(NEW, values | wrong)
        assert ("already submitted with other values" in response.text) is ("submission" not in wrong)
        form = response.context["form"]
        assert form["submission"].value() not in (values["submission"], "17")
        assert browser.post(NEW, factories.fill_form(submission=form["submission"].value())).status_code == 302


@pytest.mark.parametrize("place", [{}, {"place": "+new", "workspace_id": "left-over"}])
def test_a_new_workspace_may_be_given_a_name(sign_in, alice, place):
    browser = sign_in(alice)
    shown = browser.post(NEW, factories.fill_form(workspace_name="Plan <b>", **place), follow=True)
    portal_request = models.Request.objects.get()
    assert (portal_request.workspace_uid, portal_request.workspace_name) == ("", "Plan <b>")
    assert "Plan &lt;b&gt;" in shown.text
    assert browser.get(f"{NEW}?again={portal_request.pk}").context["form"]["workspace_name"].value() == "Plan <b>"
    assert [row.pk for row in browser.get("/requests/?q=plan").context["page"].requests] == [portal_request.pk]


def test_request_again_fills_the_form(sign_in, alice, bob):
    first = factories.submit(alice, type="golang", workspace_uid="abc", note="n")
    values = sign_in(alice).get(f"{NEW}?again={first.pk}").context["form"].initial
    assert (values["type"], values["workspace_id"], values["note"]) == ("golang", "abc", "n")
    assert sign_in(alice).get(NEW).context["form"].initial["type"] == "golang", "which was used last"
    assert sign_in(bob).get(f"{NEW}?again={first.pk}").context["form"].initial["type"] == ""
    for odd in ("x", "\u0663", "9" * 30, "-1"):
        assert sign_in(alice).get(NEW, {"again": odd}).status_code == 200


def test_its_requester_cancels_only_what_waits_and_the_live_part_says_what_a_machine_needs(sign_in, alice):
    browser, page = sign_in(alice), f"/requests/{factories.submit(alice).pk}/"
    waiting = browser.get(f"{page}live/").text
    assert 'data-request-status="queued"' in waiting
    assert "data-failure" not in waiting
    assert browser.post(f"{page}cancel/").status_code == 302
    assert 'data-request-status="cancelled"' in browser.get(f"{page}live/").text
    assert "too late to cancel" in browser.post(f"{page}cancel/", follow=True).text


@pytest.mark.django_db(transaction=True)
def test_an_operator_closes_only_with_a_reason(sandbox, sign_in, alice, olga):
    number = factories.submit_and_settle(alice, workspace_uid="reset").pk
    close = f"/requests/{number}/close/"
    for reason in ("", " ", "x" * 501, "a\x00"):
        response = sign_in(olga).post(close, {"reason": reason})
        assert response.status_code == 200
        assert response.context["reason_form"].errors
    assert models.Request.objects.get().status == "UNKNOWN"

    page = sign_in(olga).post(close, {"reason": "not in the list"}, follow=True).text
    assert models.Request.objects.get().status == "FAILED"
    assert "not in the list" in page
    assert "You don't need to do anything" not in page
    assert "has moved on" in sign_in(olga).post(close, {"reason": "r"}, follow=True).text
    assert sign_in(olga).post("/requests/999999/close/", {"reason": "r"}).status_code == 404


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("uid", ["fail-400", "fail-402", "fail-503", "reset", "garbage"])
def test_a_failure_explains_itself(sandbox, sign_in, alice, uid):
    portal_request = factories.submit_and_settle(alice, workspace_uid=uid)
    failure = portal_request.failure_row
    assert failure is not None
    page = sign_in(alice).get(f"/requests/{portal_request.pk}/").text.replace("&#x27;", "'")
    wanted = [f'data-failure="{failure.code}"', str(failure.title), str(failure.cause)]
    wanted += [attempt.message for attempt in portal_request.attempts.all()]
    if portal_request.status == "UNKNOWN":
        assert page.count("You don't need to do anything") == 1
        wanted.append("Request another (you may pay for two)…")
    else:
        wanted += [str(failure.again), *(str(step) % {"operator": "an operator"} for step in failure.steps)]
    assert not [words for words in wanted if words not in page]
