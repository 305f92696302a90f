"""POST /v1/workstations: a request like any other, answered when it has ended."""

import json

import pytest

from portal import models
from tests import factories
from tests.api.serving import read_error, read_limit

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_workstation_comes_as_the_provider_described_it(program, sandbox):
    answer = program.post_and_send()

    assert answer.status_code == 200
    [made] = sandbox.record()["workstations"]
    assert answer.json()["id"] == made["uid"]
    assert answer.json().keys() == {"id", "type", "status", "workspace", "startedAt"}
    assert answer.headers["Content-Type"] == "application/json"
    portal_request = models.Request.objects.get()
    assert answer.headers["X-Portal-Request"] == portal_request.label
    assert answer.headers["X-Portal-Page"] == f"http://127.0.0.1:8000/requests/{portal_request.pk}/"


def test_it_is_a_request_like_any_other(program, alice, settings):
    settings.PORTAL_URL = "https://portal.example"
    factories.set_policy(lifetime="2h")
    answer = program.post_and_send(name="not for the provider", anything=[1])

    portal_request = models.Request.objects.get()
    assert portal_request.requester == alice
    assert portal_request.lifetime == "2h"
    assert portal_request.workstation.ends_at
    assert answer.headers["X-Portal-Page"] == f"https://portal.example/requests/{portal_request.pk}/"
    assert json.loads(portal_request.other_fields) == {"name": "not for the provider", "anything": [1]}
    event = factories.find_event("submit")
    token = models.Token.objects.get()
    assert (event.actor_name, event.address, event.detail["token"]) == ("alice", "127.0.0.1", token.pk)
    assert event.http_request == answer.headers["X-Request-ID"]


def test_only_what_the_provider_knows_is_sent_and_auditors_see_the_other_fields(program, sandbox, anna, sign_in):
    program.post_and_send(name="a name that is kept", anything={"deep": ["\x00", "\ud800", 10**30]})
    [post] = sandbox.record()["posts"]
    assert json.loads(post["body"]) == {"type": "python"}
    portal_request = models.Request.objects.get()
    page = sign_in(anna).get(f"/admin/portal/request/{portal_request.pk}/change/")
    assert "a name that is kept" in page.content.decode()
    for change in models.Change.objects.values():
        assert "a name that is kept" not in str(change), "personal: the log has a digest"


def test_a_lifetime_may_be_chosen_and_is_no_other_field(program):
    program.post_and_send(lifetime="1h")
    assert models.Request.objects.values_list("lifetime", "other_fields").get() == ("1h", "")


def test_a_workspace_of_one_s_own_is_used_again(program):
    first = program.post_and_send().json()
    again = program.post_and_send(workspace_id=first["workspace"]["id"]).json()
    assert again["workspace"]["id"] == first["workspace"]["id"]


def test_the_provider_s_refusal_comes_with_its_code_and_body(program, sandbox):
    body = {"error": "A word", "message": "A sentence.", "more": [1]}
    for status in (400, 418, 422, 402):  # the last one pauses the key
        sandbox.script({"status": status, "body": body})
        answer = program.post_and_send()
        assert (answer.status_code, answer.json()) == (status, body)
        assert answer.headers["X-Portal-Request"] == models.Request.objects.latest("pk").label


def test_a_gateway_s_page_becomes_json(program, sandbox):
    sandbox.script({"status": 403, "body": "<html>no</html>"})
    assert program.post_and_send().json()["error"] == "Forbidden"


WRONG: dict[str, tuple[object, ...]] = {
    "type": ("no-such-type", None, ["python"]),
    "workspace_id": (None, 7),
    "lifetime": ("for ever", 8, "300h"),
}


def test_what_cannot_be_asked_for_is_refused(program):
    factories.set_policy(lifetimes="2h 8h", lifetime="2h")
    for name, value in ((name, value) for name, values in WRONG.items() for value in values):
        assert read_error(program.post(**{name: value})) == (400, "Invalid Request Format"), (name, value)
    assert not models.Request.objects.exists()


def test_a_workspace_that_cannot_be_or_is_another_s_is_not_found(program, bob):
    space = factories.get_workspace(factories.create_workstation(bob))
    for uid in ("", "..", "x" * 65, "a/b", "\x00", space.uid):
        assert read_error(program.post(workspace_id=uid)) == (422, "Unprocessable Entity"), uid


def test_nobody_asks_too_often(program, use_up, alice):
    use_up(alice, "submission", 58)
    assert read_limit(program.post_and_send())[:2] == (60, 1)
    use_up(alice, "submission", 60)
    answer = program.post()
    assert read_error(answer) == (429, "Too Many Requests")
    assert read_limit(answer) == (60, 0, int(answer.headers["Retry-After"]))
    assert factories.list_events("refused").exists()
