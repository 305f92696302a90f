"""Help at hand: the details to copy, and the bundle of evidence."""

import base64
import json
from html import unescape

import pytest

from portal import __version__, models
from portal.services.key import accounts
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def download(browser, number: int):
    return browser.post(f"/requests/{number}/evidence.json")


def test_a_failed_request_has_its_details_to_copy(sandbox, sign_in, alice):
    sandbox.script([{"status": 422, "body": {"error": "Unprocessable", "message": "no such <asset>"}}])
    portal_request = factories.submit_and_settle(alice, workspace_uid="nowhere")
    page = sign_in(alice).get(f"/requests/{portal_request.pk}/")
    text = unescape(page.context["support"])

    attempt = portal_request.attempts.get()
    for words in (
        *(portal_request.label, "Failed (422)", "Workspace: nowhere", "HTTP status: 422", __version__),
        *(f"{portal_request.created_at:%Y-%m-%d %H:%M:%S} UTC", "Response: Unprocessable: no such <asset>"),
        f"Attempt 1: {attempt.claimed_at:%Y-%m-%d %H:%M:%S} UTC",
    ):
        assert words in text
    assert attempt.key_fingerprint
    assert attempt.key_fingerprint not in page.text
    assert "Response: Unprocessable: no such &lt;asset&gt;" in page.text
    assert "evidence.json" not in page.text


def test_taking_evidence_is_recorded(sandbox, sign_in, alice, olga):
    portal_request = factories.submit_and_settle(alice, workspace_uid="fail-402")
    assert download(sign_in(olga), 999_999).status_code == 404
    assert not factories.list_events("evidence").exists()

    response = download(sign_in(olga), portal_request.pk)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == f'attachment; filename="{portal_request.label}-evidence.json"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    event = factories.find_event("evidence")
    assert (event.actor_name, event.request_number) == ("olga", portal_request.pk)
    assert "evidence.json" in sign_in(olga).get(f"/requests/{portal_request.pk}/").text


def test_the_evidence_has_everything(sandbox, sign_in, alice, olga):
    sandbox.script([{"status": 503, "body": {"error": "e", "message": "m"}}])
    portal_request = factories.submit_and_settle(alice, note="for the demo", workspace_uid="space")
    account = portal_request.account
    models.Workspace.objects.get_or_create(account=account, uid="space", defaults={"owner": alice})
    models.Workstation.objects.create(account=account, uid="orphan", made_for=portal_request)
    first = portal_request.attempts.earliest("number")
    with factories.unprotected():
        factories.update(first, response=b"\xff\x00")
    models.LateResponse.objects.create(attempt=first, outcome="FAILED", failure="503", response="später\x00".encode())

    bundle = json.loads(download(sign_in(olga), portal_request.pk).content)

    told = [bundle[name] for name in ("format", "version", "portal_version", "taken_by")]
    assert told == ["workstation-portal evidence", 2, __version__, "olga"]
    assert bundle["request"].items() >= {"note": "for the demo", "requester": "alice"}.items()
    assert bundle["account"]["base_url"] == account.base_url
    assert len(bundle["attempts"]) == portal_request.attempts.count()
    response = bundle["attempts"][0]["response"]
    assert (response["encoding"], base64.b64decode(response["body"])) == ("base64", b"\xff\x00")
    assert bundle["attempts"][0]["late_response"]["response"] == {"encoding": "utf-8", "body": "später\x00"}
    assert bundle["events"][-1]["verb"] == "evidence"
    assert "orphan" in [row["uid"] for row in bundle["workstations"]]
    assert [row["uid"] for row in bundle["workspaces"]] == ["space"]


def test_the_evidence_tells_nothing_of_the_key(sandbox, settings, sign_in, alice, olga):
    settings.AGENTSTATION_API_KEY = "sandbox-very-secret-0123456789"
    sandbox.script(
        [{"status": 400, "body": {"error": "bad key", "message": f"Bearer {settings.AGENTSTATION_API_KEY}"}}]
    )
    portal_request = factories.submit_and_settle(alice)
    content = download(sign_in(olga), portal_request.pk).text
    assert "bad key" in content
    assert settings.AGENTSTATION_API_KEY not in content
    fingerprint = accounts.fingerprint_key(account=portal_request.account)
    assert fingerprint == portal_request.attempts.get().key_fingerprint
    assert fingerprint not in content
    assert portal_request.account.salt not in content
