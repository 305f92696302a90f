"""What people see of unknown requests and of unassigned workstations, and how they decide, on "Needs review" first."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.key import accounts
from portal.services.reconciliation import operator_actions, restore, review
from portal.services.requests import notes
from tests import factories
from tests.admin import rows
from tests.browser import read
from tests.signing import write_event

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
    models.Workstation.objects.create(account=orphan.account, uid="ordinary", type="golang")
    browser.post("/workstations/ordinary/ended/", {"reason": "I say so."})
    assert models.Workstation.objects.get(uid="ordinary").ended_at is None, "it is not missing for a day"
    models.Workstation.objects.filter(uid="ordinary").delete()
    page = read(browser.get("/unknown/"))
    assert "in its dashboard" in find_section(page, "Unassigned workstations")
    assert 'value="release"' not in page
    assert operator_actions.count_open_decisions() == 1
    browser.post("/unknown/orphans/sha256:0123/", {"decision": "release", "reason": "It is idle."})
    assert models.Workstation.objects.get().release_requested_at is None
    said = read(browser.post("/workstations/sha256:0123/ended/", {"reason": "Released there."}, follow=True))
    assert "this workstation has ended" in said
    assert factories.find_event("ended").reason == "Released there."
    assert models.Workstation.objects.get().ended_at is not None


def test_that_every_workstation_has_its_request_is_said_only_when_the_lists_were_read_since(sign_in, unknown, olga):
    def find_words() -> str:
        return " ".join(find_section(read(sign_in(olga).get("/unknown/")), "Unassigned workstations").split())

    unsure = "None known yet. AgentStation's lists haven't been read completely."
    assert unsure in find_words()
    assert "being checked" not in find_words(), "it is asked about"
    models.Request.objects.update(operator_note="")
    assert f"{unsure} 1 request is being checked." in find_words()
    key = models.Key.objects.get()
    read_at = {"begun_at": Now(), "ended_at": Now(), "begun_tick": key.tick}
    scan = models.Scan.objects.create(account=key.account, is_complete=True, **read_at)
    assert "None. What a request under way may have created isn't listed here." in find_words()
    factories.update(scan, begun_tick=0)
    assert re.search(r"lists were last read completely at .*\. 1 request is being checked\.", find_words())


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
        *(({"decision": odd}, "Choose what happened", "decision_0") for odd in ("", "guess")),
        ({"decision": "adopt"}, "Choose the workstation", "workstation"),
        ({"decision": "adopt", "workstation": "nobody"}, "knows no workstation", "workstation"),
        ({"decision": "adopt", "workstation": "n" * 201}, "This has 201 characters", "workstation"),
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
    factories.update(orphan, request=other)
    taken = read(decide(sign_in(olga), unknown, decision="adopt", workstation="orphan-1", reason="It is this one."))
    assert "has changed in the meantime" in taken.partition('class="summary"')[2].partition("</div>")[0]
    assert 'value="It is this one."' in taken
    factories.update(orphan, request=None)
    chosen = read(decide(sign_in(olga), unknown, decision="adopt", workstation="orphan-1", reason=""))
    assert re.search(r'<option value="orphan-1"\s+selected', chosen)


def test_what_has_moved_on_is_said_in_a_message(sign_in, unknown, olga):
    browser = sign_in(olga)
    decide(browser, unknown, decision="give-up", reason="r")
    for values in ({"decision": "give-up", "reason": "r"}, {"decision": "give-up"}):
        response = decide(browser, unknown, **values)
        assert response.redirect_chain == [("/unknown/", 302)]
        assert f"{unknown.label}: " in read(response)
    assert factories.list_events("close").count() == 1


# --- What can be chosen ---


def test_each_answer_says_what_it_leads_to(sign_in, unknown, orphan, olga):
    page = read(sign_in(olga).get("/unknown/"))
    for value, words in (
        ("adopt", "gets the unassigned workstation"),
        ("not-created", "goes back into the queue"),
        ("give-up", "stays unassigned"),
        ("release", "ends it immediately"),
        ("disown", "somebody else who uses this API key"),
    ):
        option = find_option(page, value)
        assert words in option
        assert "disabled" not in option
    assert "Not now" not in page
    assert f'name="confirmed" id="request-{unknown.pk}-confirmed"' in page


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


def test_what_may_have_been_created_for_it_comes_first(sign_in, unknown, orphan, olga):
    account = accounts.get_current_account()
    space = models.Workspace.objects.create(account=account, uid="S-1")
    models.Workstation.objects.create(
        account=account, uid="likely", type="python", workspace=space, created_at=rows.NOW, listed_tick=10**6
    )
    page = read(sign_in(olga).get("/unknown/"))
    mine = page.partition(f'action="/unknown/{unknown.pk}/"')[2].partition("</form>")[0]
    first, others = mine.partition('label="May have been created for it"')[2].split("</optgroup>")[:2]
    assert re.search(r"likely \(Python, started [^)]*, workspace S-1\)", first)
    assert "orphan-1 (Go)" in others
    assert "likely (Python" in page.partition("<dt>May have been created for it</dt>")[2].partition("</dd>")[0]


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


def test_what_waits_for_a_person_comes_first_and_what_is_checked_below(sign_in, sandbox, unknown, alice, olga):
    checked = factories.submit_and_settle(alice, workspace_uid="reset")
    page = read(sign_in(olga).get("/unknown/"))
    assert page.index("Requests that need review") < page.index("Unassigned workstations") < page.index("Being checked")
    needing, checking = find_section(page, "Requests that need review"), find_section(page, "Being checked")
    assert (unknown.label in needing, checked.label in needing) == (True, False)
    assert (unknown.label in checking, checked.label in checking) == (False, True)
    assert needing.startswith("1)")
    assert re.search(r"By itself, by about \d\d:\d\d UTC", checking)


def test_until_when_it_is_checked_is_told(sign_in, sandbox, unknown, olga):
    models.Request.objects.update(operator_note="")
    said = {10: "By itself, by about", 480: "a person is asked by about", 3600: "It takes longer than usual"}
    for age, words in said.items():
        at = Now() - timedelta(seconds=age)
        with factories.unprotected():
            models.Attempt.objects.update(ended_at=at, deadline_at=at)
        assert words in find_section(read(sign_in(olga).get("/unknown/")), "Being checked")


def test_the_evidence_stands_beside_it(sign_in, sandbox, alice, olga):
    portal_request = factories.submit_and_settle(alice, workspace_uid="fail-500")
    factories.update(portal_request, operator_note=notes.NO_WITNESS)
    at = rows.NOW.replace(hour=22, minute=20, second=7)
    write_event(at=at, verb=Verb.NEEDS_REVIEW, request_number=portal_request.pk, reason=notes.NO_WITNESS)
    account, counts = accounts.get_current_account(), {"active_count": 4, "history_count": 31}
    for tick, is_complete in ((0, True), (10**6, True), (10**6 + 1, True), (10**6 + 2, False)):
        models.Scan.objects.create(
            account=account, begun_at=at, ended_at=at, begun_tick=tick, is_complete=is_complete, **counts
        )
    page = find_section(read(sign_in(olga).get("/unknown/")), "Requests that need review")
    assert "show no workstation for this request" in page
    assert re.search(r"Waiting for a person since [^<]*22:20:07 UTC", page)
    assert re.search(r"<dt>Sent</dt>\s*<dd><bdi>[^<]*, attempt 1<", page)
    assert "AgentStation internal error (500, HTTP 500)" in page
    assert "please retry your request" in page.partition("AgentStation's response")[2]
    assert re.search(r"<bdi>2, the last at [^<]*22:20:07 UTC \(4 active, 31 ended\)<", page)
    assert "No workstation that AgentStation lists" in page
    assert f'href="/requests/{portal_request.pk}/"' in page


def test_what_a_restore_made_unknown_says_that_it_is_not_known_whether_it_was_sent(sign_in, sandbox, alice, olga):
    factories.submit(alice)
    restore.restore_requests()
    page = read(sign_in(olga).get("/unknown/"))
    assert "Not known: the database was restored from a backup" in page
    assert "None yet" in page


def test_a_late_response_is_told(sign_in, unknown, olga):
    models.LateResponse.objects.create(
        attempt=unknown.attempts.get(), outcome="UNKNOWN", failure="500", error="Internal error", message="Too late"
    )
    assert "Internal error: Too late" in read(sign_in(olga).get("/unknown/")).partition("<dt>Late response</dt>")[2]
    with factories.unprotected():
        models.LateResponse.objects.all().delete()
        models.Attempt.objects.all().delete()
    page = read(sign_in(olga).get("/unknown/"))
    assert unknown.label in page
    assert "<dt>Sent</dt>" not in page, "without an attempt there is nothing to tell"


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


def test_the_page_of_what_lives_in_an_account_that_the_key_has_left_says_so(sign_in, orphan, alice, olga):
    uids = orphan.uid, factories.create_workstation(alice).uid
    models.Account.objects.update(retired_at=Now())
    unknown, hers = (read(sign_in(olga).get(f"/workstations/{uid}/")) for uid in uids)
    assert re.search("Not the team's: of another account, last seen <time[^>]*>[^<]+ UTC</time>", unknown)
    assert re.search("Of another account, last seen <time[^>]*>[^<]+ UTC</time>", hers)
    assert [word in hers for word in ("Active", "/terminal/", "/release/")] == [False, False, False]
    factories.end_workstations()
    assert "nother account" not in read(sign_in(olga).get("/workstations/orphan-1/"))


@pytest.mark.parametrize(
    ("values", "words", "field"),
    [
        ({"reason": "Keep this."}, "Choose what should happen", "decision_0"),
        ({"reason": "Keep this.", "decision": "burn"}, "Choose what should happen", "decision_0"),
        ({"decision": "disown"}, "Say why", "reason"),
    ],
)
def test_an_error_about_an_orphan_says_which_and_keeps_what_was_typed(sign_in, orphan, olga, values, words, field):
    other = models.Workstation.objects.create(account=orphan.account, uid="orphan-2", type="golang")
    response = sign_in(olga).post("/unknown/orphans/orphan-1/", values)
    page = read(response)
    assert response.status_code == 200
    summary = page.partition('class="summary"')[2].partition("</div>")[0]
    assert "orphan-1: nothing has changed yet" in summary
    assert re.search(f'<a\\s+href="#workstation-{orphan.pk}-{field}"\\s*>[^<]*{words}', summary)
    assert page.count('value="Keep this."') == ("reason" in values)
    assert len(re.findall(r"<details[^>]*\bopen\b", page)) == 1
    assert f'id="workstation-{other.pk}-reason"' in page
    assert not models.Event.objects.filter(verb__in=("disown", "request-release")).exists()


# --- What it costs ---


def test_a_row_more_costs_no_query_more(sign_in, unknown, orphan, alice, olga):
    browser, counts = sign_in(olga), []
    for number in range(3):
        add_rows(alice, number)
        with CaptureQueriesContext(connection) as queries:
            page = read(browser.get("/unknown/"))
        counts.append(len(queries))
    assert page.count("Resolve…") == 2 + 3 * 3
    assert set(counts) == {counts[0]}, [query["sql"] for query in queries]
    assert counts[0] <= 30, counts


def add_rows(alice: models.User, number: int) -> None:
    """A request that waits for a person, one that is checked, and a workstation that one of them may have created."""
    account = accounts.get_current_account()
    for note in ("", notes.NEWCOMER):
        row = factories.submit(alice)
        states = {"status": "UNKNOWN", "failure": "no-answer", "was_unknown": True, "operator_note": note}
        factories.update(row, **states)
        rows.create_attempt(row, outcome="UNKNOWN", failure="no-answer")
    space = models.Workspace.objects.create(account=account, uid=f"S-{number}")
    values = {"account": account, "type": "python", "workspace": space, "listed_tick": 10**6}
    models.Workstation.objects.create(uid=f"W-{number}", made_for=row, **values)


def test_what_is_more_than_a_page_has_is_counted_as_such(sign_in, unknown, olga, monkeypatch):
    monkeypatch.setattr(review, "MOST", 2)
    account = accounts.get_current_account()
    for number in range(3):
        models.Workstation.objects.create(account=account, uid=f"W-{number}", type="golang")
    page = find_section(read(sign_in(olga).get("/unknown/")), "Unassigned workstations")
    assert page.startswith("2+)")
    assert "W-1" in page
    assert "W-2" not in page.partition("<datalist")[0]


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


def test_the_question_says_whose_turn_it_is_and_offers_one_way_to_try_again(sign_in, unknown, alice, olga):
    path = f"/requests/{unknown.pk}/"
    page = sign_in(alice).get(path).text
    assert "Needs your review" in page
    assert "Request another" not in page  # which would be a second request beside this one
    assert "Is it safe" not in page  # the question and its answers say it
    assert "Needs review by <bdi>alice</bdi> or <bdi>olga</bdi>" in read(sign_in(olga).get(path))
    models.Request.objects.update(operator_note=notes.OTHERS)
    page = read(sign_in(alice).get(path))
    assert "Needs review by <bdi>olga</bdi>" in page
    assert "Request another (you may pay for two)…" in page


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


def test_a_requester_wishes_to_cancel_what_is_unknown_and_cancels_it_once_asked(sign_in, unknown, alice):
    browser, cancel = sign_in(alice), f"/requests/{unknown.pk}/cancel/"
    models.Request.objects.update(operator_note="")
    page = browser.post(cancel, follow=True).text
    assert "If nothing was created, the request is cancelled" in page
    assert "Cancellation requested" in page
    unknown.refresh_from_db()
    assert (unknown.status, unknown.cancel_requested_at is not None) == ("UNKNOWN", True)
    factories.ask_people(unknown)
    assert f"{unknown.label} is cancelled." in browser.post(f"/requests/{unknown.pk}/not-created/", follow=True).text
    unknown.refresh_from_db()
    assert unknown.status == "CANCELLED"


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
