"""What is one's own, in lists and singly; and its release."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.core import signing

from portal import models
from portal.models.clock import Now
from portal.services.mirrors import types
from portal.services.runtime import clients
from tests import factories
from tests.api.serving import PATIENCE, read_error

pytestmark = pytest.mark.django_db(transaction=True)


def list_uids(program, path: str = "/workstations", **query: object) -> list[str]:
    return [one["id"] for one in program.call("GET", path, params=query).json()["data"]]


def test_one_s_own_are_listed_newest_first_in_pages_both_ways(program, alice, bob):
    own = [one.uid for one in factories.create_workstations(alice, 5)][::-1]
    factories.create_workstation(bob)
    assert list_uids(program) == own
    first = program.call("GET", "/workstations", params={"limit": 2}).json()
    second = program.call("GET", "/workstations", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = program.call("GET", "/workstations", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    pages = [[one["id"] for one in page["data"]] for page in (first, second, third)]
    assert pages == [own[:2], own[2:4], own[4:]]
    assert first["previous_cursor"] is third["next_cursor"] is None
    assert list_uids(program, limit=2, cursor=third["previous_cursor"]) == own[2:4]


def test_a_list_may_be_bounded_by_times(program, alice):
    old, new = factories.create_workstations(alice, 2)
    factories.update(old, created_at=datetime(2021, 4, 7, 10, 30, tzinfo=UTC))
    assert list_uids(program, before="2021-04-07T10:30:01Z") == [old.uid]
    assert list_uids(program, after="2021-04-07T12:30:00+02:00") == [new.uid]
    both = program.call("GET", "/workstations", params={"limit": 1, "after": "2020-01-01"}).json()
    assert list_uids(program, cursor=both["next_cursor"]) == [old.uid]


NOT_SIGNED = signing.Signer(salt="another").sign_object([{}, {"before": 9}])
WRONG: dict[str, tuple[str, ...]] = {
    "limit": ("0", "101", "x", "", "-1", "²", "1e1"),
    "cursor": ("", "x", "e30", "\u00e9", ":", NOT_SIGNED),
    "before": ("yesterday", ""),
    "after": ("9999-12-31T23:59:59-23:00",),
}


def test_what_no_list_has_is_refused(program):
    for name, value in ((name, value) for name, values in WRONG.items() for value in values):
        answer = program.call("GET", "/workstations", params={name: value})
        assert read_error(answer) == (400, "Invalid Request Format"), (name, value)


def test_a_cursor_cannot_ask_for_what_is_another_s(program, make_program, bob):
    factories.create_workstations(bob, 3)
    cursor = make_program(bob).call("GET", "/workstations", params={"limit": 1}).json()["next_cursor"]
    assert list_uids(program, cursor=cursor) == []


def test_the_history_has_what_has_ended(program, alice, bob):
    ended, _ = factories.create_workstations(alice, 2)
    factories.update(ended, ended_at=Now())
    other = factories.create_workstation(bob)
    factories.update(other, ended_at=Now())
    [told] = program.call("GET", "/workstations/history").json()["data"]
    assert (told["id"], told["status"]) == (ended.uid, "completed")


def test_the_types_are_the_contract_s_until_the_provider_s_were_read(program):
    told = program.call("GET", "/workstations/types").json()
    assert [one["id"] for one in told["data"]] == models.Request.Type.values
    factories.acquire_lease(name="types").run(types.read_types, client=clients.make_client())
    [python] = [one for one in program.call("GET", "/workstations/types").json()["data"] if one["id"] == "python"]
    assert python["software"] == ["terminal", "ssh", "python"]


WAYS = (
    *(("GET", "/workstations/{}"), ("DELETE", "/workstations/{}"), ("DELETE", "/workstations/{}/release")),
    *((method, "/workstations/{}/other") for method in ("GET", "POST", "DELETE")),
    *(("POST", f"/workstations/{{}}/{kind.way.path}") for kind in models.Connection.Kind),
)


def test_what_is_another_s_or_has_ended_is_as_what_never_was(make_program, alice, bob, olga):
    """Also for who sees everything, for whom it was shared with, and, singly, for its owner once it has ended."""
    factories.set_policy(passes_on=True)
    workstation = factories.create_workstation(bob, type="max")
    models.Share.objects.create(workstation=workstation, person=alice, level="work")
    others, own = [make_program(alice), make_program(olga)], make_program(bob)
    assert [list_uids(program) for program in others] == [[], []]
    for program in (*others, own):
        if program is own:
            factories.end_workstations()
        for method, path in WAYS:
            other, never = (program.call(method, path.format(one)) for one in (workstation.uid, "neverexisted"))
            assert (read_error(other), other.json()) == ((422, "Unprocessable Entity"), never.json())
    workstation.refresh_from_db()
    assert workstation.release_requested_at is None
    assert not models.Connection.calls.exists()


def test_the_contents_of_another_s_workspace_are_left_out(program, alice, bob):
    workstation = factories.create_workstation(alice)
    path = f"/workstations/{workstation.uid}"
    assert "files" in program.call("GET", path).json()["workspace"]
    models.Workspace.objects.update(owner=bob)
    for told in (program.call("GET", path).json(), program.call("GET", "/workstations").json()["data"][0]):
        assert told["workspace"].keys() == {"id", "status", "createdAt"}


def test_a_release_is_answered_when_the_provider_has_confirmed_it_however_often_it_is_asked_for(
    program, server, sandbox, alice
):
    uid = factories.create_workstation(alice).uid
    both = [program.begin("DELETE", path.format(uid)) for path in ("/workstations/{}", "/workstations/{}/release")]
    server.await_waiting(2)
    factories.send_releases()
    assert [answer.result(PATIENCE).json() for answer in both] == [{"type": "python", "released": True}] * 2
    assert sandbox.record()["workstations"][0]["released"]
    event = factories.find_event("request-release")
    assert (event.actor_name, event.detail["token"]) == ("alice", models.Token.objects.get().pk)


def test_a_release_is_no_change_that_is_counted(program, alice, use_up, hasty):
    uid = factories.create_workstation(alice).uid
    use_up(alice, "act", 30)
    assert read_error(program.call("DELETE", f"/workstations/{uid}")) == (503, "Service Unavailable")
    assert models.Workstation.objects.get().release_requested_at


def test_a_page_s_address_is_named_whatever_its_uid(program, alice):
    factories.create_workstation(alice)
    for uid in ("%00", "%ff", "x" * 300, "a%2Fb", "%2e"):
        assert program.call("GET", f"/workstations/{uid}").status_code == 422, uid
    for uid in ("w\u2713rk", "a b", "a?b#c", "100%"):
        models.Workstation.objects.update(uid=uid)
        answer = program.call("GET", f"/workstations/{quote(uid, safe='')}")
        assert answer.headers["X-Portal-Page"].endswith(f"/workstations/{quote(uid, safe='')}/"), uid
