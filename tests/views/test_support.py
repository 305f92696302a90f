"""Help at hand: the details to copy, and the bundle of evidence."""

import base64
import json
from html import unescape

import pytest

from portal import __version__, models
from portal.services.key import accounts
from tests import factories
from tests.signing import write_event

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


def test_an_unknown_request_too_with_its_late_response(sandbox, sign_in, alice):
    portal_request = factories.submit_and_settle(alice, workspace_uid="reset")
    models.LateResponse.objects.create(
        attempt=portal_request.attempts.get(), outcome="FAILED", failure="503", http_status=503, message="too late"
    )
    text = sign_in(alice).get(f"/requests/{portal_request.pk}/").context["support"]
    assert "Checking (no-answer)" in text
    assert "HTTP status: none" in text
    assert "Late response" in text
    assert "Response: too late" in text


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
    look = models.Scan.objects.create(account=account, begun_at=portal_request.created_at)
    write_event(verb="reconcile", target="t", request_number=portal_request.pk, detail={"scan": look.pk})
    models.Workspace.objects.get_or_create(account=account, uid="space", defaults={"owner": alice})
    models.Workstation.objects.create(account=account, uid="orphan", made_for=portal_request)
    first = portal_request.attempts.earliest("number")
    with factories.unprotected():
        factories.update(first, response=b"\xff\x00")
    models.LateResponse.objects.create(attempt=first, outcome="FAILED", failure="503", response="später\x00".encode())

    bundle = json.loads(download(sign_in(olga), portal_request.pk).content)

    told = [bundle[name] for name in ("format", "version", "portal_version", "taken_by")]
    assert told == ["workstation-portal evidence", 2, __version__, "olga"]
    asked = {"note": "for the demo", "requester": "alice", "created_at": portal_request.created_at.isoformat()}
    assert bundle["request"].items() >= asked.items()
    assert bundle["account"]["base_url"] == account.base_url
    assert len(bundle["attempts"]) == portal_request.attempts.count()
    response = bundle["attempts"][0]["response"]
    assert (response["encoding"], base64.b64decode(response["body"])) == ("base64", b"\xff\x00")
    assert bundle["attempts"][0]["late_response"]["response"] == {"encoding": "utf-8", "body": "später\x00"}
    assert [event["verb"] for event in bundle["events"]][:2] == ["submit", "claim"]
    assert bundle["events"][-1]["verb"] == "evidence"
    assert [row["id"] for row in bundle["scans"]] == [look.pk]
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
