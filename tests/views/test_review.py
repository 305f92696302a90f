"""What people see of unknown requests and of unassigned workstations, and how they decide, on "Needs review" first."""

import re

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from portal.services.reconciliation import operator_actions
from tests import factories
from tests.browser import read

pytestmark = pytest.mark.django_db(transaction=True)

AGAIN = {"decision": "not-created", "confirmed": "on"}


@pytest.fixture
def unknown(sandbox, alice) -> models.Request:
    portal_request = factories.submit_and_settle(alice, workspace_uid="reset")
    factories.ask_people(portal_request)
    return portal_request


@pytest.fixture
def orphan(sandbox) -> models.Workstation:
    return models.Workstation.objects.create(account=accounts.get_current_account(), uid="orphan-1", type="golang")


def decide(browser, portal_request: models.Request, **values: str):
    return browser.post(f"/unknown/{portal_request.pk}/", values, follow=True)


def find_section(page: str, heading: str) -> str:
    """What stands between a heading of the second level, which has a number, and the next one."""
    return re.split(rf"<h2[^>]*>\s*{re.escape(heading)}\s*\(", page)[1].partition("<h2")[0]


def find_option(page: str, value: str) -> str:
    """One answer, up to the end of its card."""
    cards = re.findall(r'<label class="card">.*?</label>', page, re.DOTALL)
    return next(card for card in cards if f'value="{value}"' in card)


# --- Who ---


def test_auditors_see_what_only_operators_resolve(sign_in, unknown, orphan, alice, anna, olga):
    page = read(sign_in(olga).get("/unknown/"))
    assert unknown.label in page
    assert "orphan-1" in page
    shown = read(sign_in(anna).get("/unknown/"))
    assert "Resolve" not in shown.replace("The portal resolves", "")
    assert "What is known" in shown
    assert "orphan-1" in read(sign_in(anna).get("/key/"))
    assert "orphan-1" not in read(sign_in(alice).get("/key/"))


# --- Unassigned workstations ---


def test_one_whose_id_cannot_be_kept_is_listed_and_marked_as_ended(sign_in, orphan, olga):
    models.Workstation.objects.update(uid="a/b")
    page = read(sign_in(olga).get("/unknown/"))
    assert "a/b" in page
    assert "What should happen to it?" not in page, "no address can have its id"
    models.Workstation.objects.update(uid="sha256:0123", is_nameless=True)
    browser = sign_in(olga)
    page = read(browser.get("/unknown/"))
    assert "in its dashboard" in find_section(page, "Unassigned workstations")
    assert 'value="release"' not in page
    assert operator_actions.count_open_decisions() == 1
    browser.post("/unknown/orphans/sha256:0123/", {"decision": "release", "reason": "It is idle."})
    assert models.Workstation.objects.get().release_requested_at is None
    said = read(browser.post("/workstations/sha256:0123/ended/", {"reason": "Released there."}, follow=True))
    assert "this workstation has ended" in said
    assert models.Workstation.objects.get().ended_at is not None


# --- What is decided about a request ---


@pytest.mark.parametrize(
    ("values", "status", "verb"),
    [
        ({"decision": "adopt", "workstation": "orphan-1"}, "SUCCEEDED", "adopt"),
        (AGAIN, "QUEUED", "not-created"),
        ({"decision": "give-up"}, "FAILED", "close"),
    ],
)
def test_an_operator_decides_with_a_reason(sign_in, unknown, orphan, alice, olga, values, status, verb):
    assert "is resolved" in read(decide(sign_in(olga), unknown, reason="I looked.", **values))
    unknown.refresh_from_db()
    event = factories.find_event(verb)
    assert (unknown.status, event.actor_name, event.reason) == (status, "olga", "I looked.")
    assert "I looked." in read(sign_in(alice).get(f"/requests/{unknown.pk}/"))
    again = read(decide(sign_in(olga), unknown, reason="Again.", decision="give-up"))
    assert "moved on" in again or status == "QUEUED"


@pytest.mark.parametrize(
    ("values", "words", "field"),
    [
        ({"decision": "give-up", "reason": ""}, "Say why", "reason"),
        ({"decision": "guess"}, "Choose what happened", "decision_0"),
        ({"decision": "adopt", "workstation": "nobody"}, "knows no workstation", "workstation"),
        ({"decision": "not-created"}, "may cost twice", "confirmed"),
        ({"decision": "give-up", "reason": "r" * 501}, "This has 501 characters", "reason"),
    ],
)
def test_a_decision_that_lacks_something_is_asked_for_again(sign_in, unknown, orphan, olga, values, words, field):
    response = decide(sign_in(olga), unknown, **{"reason": "r"} | values)
    page = read(response)
    assert (response.status_code, response.redirect_chain) == (200, [])
    summary = page.partition('class="summary"')[2].partition("</div>")[0]
    assert f"{unknown.label}: nothing has changed yet" in summary
    assert re.search(f'<a\\s+href="#request-{unknown.pk}-{field}"\\s*>[^<]*{words}', summary)
    assert page.count(f'id="request-{unknown.pk}-{field}"') == 1
    assert re.search(r"<title>\s*Error:", page)
    assert re.search(r"<details[^>]*\bopen\b", page)
    assert models.Request.objects.get(pk=unknown.pk).status == "UNKNOWN"


def test_an_error_keeps_what_was_typed_and_opens_only_its_own_panel(sign_in, sandbox, unknown, orphan, alice, olga):
    other = factories.submit_and_settle(alice, type="golang", workspace_uid="reset")
    page = read(decide(sign_in(olga), unknown, decision="not-created", reason="Their <support> says so."))
    assert page.count('value="Their &lt;support&gt; says so."') == 1
    assert "checked" in find_option(page, "not-created")
    assert len(re.findall(r"<details[^>]*\bopen\b", page)) == 1
    mine = page.partition(f'action="/unknown/{unknown.pk}/"')[2].partition("</form>")[0]
    assert "Their &lt;support&gt; says so." in mine
    assert f'action="/unknown/{other.pk}/"' in page


# --- What can be chosen ---


def test_without_an_unassigned_workstation_none_can_be_linked(sign_in, unknown, olga):
    page = read(sign_in(olga).get("/unknown/"))
    option = find_option(page, "adopt")
    assert "disabled" in option
    assert "Not now: None of the unassigned can be linked" in option
    assert 'name="workstation"' not in page
    # The first answer that can be chosen is the one that an error leads to.
    assert f'id="request-{unknown.pk}-decision_0"' in find_option(page, "not-created")


def test_what_is_still_checked_cannot_be_sent_again_and_says_until_when(sign_in, unknown, olga):
    models.Request.objects.update(operator_note="")
    page = read(sign_in(olga).get("/unknown/"))
    option = find_option(page, "not-created")
    assert "disabled" in option
    assert re.search(r"Not now: The portal is still checking this request. By itself, by about \d\d:\d\d UTC", option)
    assert 'name="confirmed"' not in page
    page = read(decide(sign_in(olga), unknown, reason="Kept.", **AGAIN))
    assert "still checking this request" in page.partition('class="summary"')[2].partition("</div>")[0]
    assert 'value="Kept."' in page
    assert models.Request.objects.get(pk=unknown.pk).status == "UNKNOWN"


def test_what_is_no_longer_wanted_is_cancelled_and_need_not_be_confirmed(sign_in, unknown, olga):
    models.Request.objects.update(cancel_requested_at=Now())
    page = read(sign_in(olga).get("/unknown/"))
    assert "Not created: cancel" in (option := find_option(page, "not-created"))
    assert "as its requester wants" in option
    assert 'name="confirmed"' not in page
    decide(sign_in(olga), unknown, decision="not-created", reason="r")
    assert models.Request.objects.get(pk=unknown.pk).status == "CANCELLED"


def test_what_was_sent_to_an_account_that_was_left_is_shown_and_never_sent_again(sign_in, unknown, settings, olga):
    browser, url = sign_in(olga), settings.AGENTSTATION_BASE_URL
    models.Request.objects.update(operator_note="")
    assert "an account that the portal has left" not in browser.get("/unknown/").text
    settings.AGENTSTATION_BASE_URL = "https://elsewhere.example/v1"
    factories.present_key()
    page = read(browser.get("/unknown/"))
    assert f"an account that the portal has left ({url})" in page
    assert "can't be sent again" in find_option(page, "not-created")
    factories.ask_people(unknown)
    assert operator_actions.count_open_decisions() == 1
    assert "no longer in use" in find_option(read(browser.get("/unknown/")), "not-created")
    decide(browser, unknown, decision="not-created", reason="r")
    assert models.Request.objects.get(pk=unknown.pk).status == "CANCELLED"


def test_of_many_workstations_the_id_is_typed(sign_in, unknown, orphan, olga):
    account = accounts.get_current_account()
    models.Workstation.objects.bulk_create(
        models.Workstation(account=account, uid=f"many-{number}", type="golang") for number in range(25)
    )
    page = read(sign_in(olga).get("/unknown/"))
    assert re.search(r'<input[^>]*name="workstation"[^>]*list="unassigned"', page)
    assert '<option value="many-24">golang</option>' in page
    decide(sign_in(olga), unknown, decision="adopt", workstation="many-24", reason="r")
    unknown.refresh_from_db()
    assert unknown.workstation.uid == "many-24"


# --- What is known ---


# --- Unassigned workstations ---


@pytest.mark.parametrize("path", ["/unknown/orphans/orphan-1/", "/unknown/orphans/orphan-1/release/"])
def test_an_orphan_is_released_with_a_reason(sign_in, orphan, olga, path):
    browser, release = sign_in(olga), {"decision": "release"}
    assert "Say why" in read(browser.post(path, release))
    assert "Release requested" in read(browser.post(path, {**release, "reason": "Nobody's."}, follow=True))
    page = read(browser.get("/unknown/"))
    assert find_section(page, "Unassigned workstations").startswith("0)")
    assert "Releasing" in page
    again = browser.post(path, {**release, "reason": "Again."}, follow=True)
    assert "orphan-1: This workstation has ended, has an owner" in read(again)
    assert factories.find_event("request-release").reason == "Nobody's."


@pytest.mark.parametrize("path", ["/unknown/orphans/orphan-1/", "/unknown/orphans/orphan-1/disown/"])
def test_an_orphan_that_is_another_teams_is_nobodys_any_more(sign_in, orphan, olga, path):
    answer = {"decision": "disown", "reason": "Theirs."}
    assert "noted as not yours" in read(sign_in(olga).post(path, answer, follow=True))
    assert "orphan-1" not in read(sign_in(olga).get("/unknown/"))
    assert "Not the team's: declared by <bdi>olga</bdi>" in read(sign_in(olga).get("/workstations/orphan-1/"))


# --- On other pages, and of other matters ---


def test_a_requester_who_is_asked_has_it_sent_again(sign_in, unknown, alice):
    browser, path, advice = sign_in(alice), f"/requests/{unknown.pk}/", "You don't need to do anything"
    link = f"{path}not-created/"
    models.Request.objects.update(operator_note="")
    page = browser.get(path).text
    assert (advice in page, "Not created" in page) == (True, False), "it is being checked"
    assert "still checking" in browser.post(link, follow=True).text
    factories.ask_people(unknown)
    page = browser.get(path).text
    assert (advice in page, "Not created: send again" in page) == (False, True)
    assert "is in the queue again" in sign_in(alice).post(link, follow=True).text
    assert "moved on" in sign_in(alice).post(link, follow=True).text
    assert factories.find_event("not-created").actor_name == "alice"


def test_a_requester_who_is_asked_sees_what_is_in_the_workspace_that_they_named_and_nothing_else(
    sign_in, unknown, alice
):
    account = accounts.get_current_account()
    for uid in ("S-1", "reset"):
        space, _ = models.Workspace.objects.get_or_create(account=account, uid=uid)
        values = {"type": "python", "workspace": space, "created_at": Now(), "listed_tick": 10**6}
        models.Workstation.objects.create(account=account, uid=f"in-{uid}", **values)
        may_be = read(sign_in(alice).get(f"/requests/{unknown.pk}/")).partition("It may have created:")[2]
        found = re.findall(r"<bdi>Python, started [^,<]*, [0-9:]* UTC(.*?)</bdi>", may_be.partition("</ul>")[0])
        assert found == ([", workspace reset"] if uid == "reset" else [])


@pytest.mark.parametrize("reason", ["deactivated", "out of the group"])
def test_what_runs_for_somebody_who_may_not_request_any_more_is_shown(sign_in, sandbox, alice, olga, reason):
    workstation = factories.create_workstation(alice)
    browser = sign_in(olga)
    assert workstation.uid not in browser.get("/unknown/").text
    if reason == "deactivated":
        factories.update(alice, is_active=False)
    else:
        alice.groups.clear()

    page = browser.get("/unknown/").text
    assert f"/workstations/{workstation.uid}/" in page
    assert "may no longer request" in page
    assert operator_actions.count_open_decisions() == 1
    browser.post(f"/workstations/{workstation.uid}/release/", {"reason": "She has left."})
    assert workstation.uid not in browser.get("/unknown/").text
    assert operator_actions.count_open_decisions() == 0
