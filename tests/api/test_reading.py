"""What is one's own, in lists and singly; and its release."""

import base64
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from portal import models
from portal.models.clock import Now
from portal.services.mirrors import types
from portal.services.runtime import clients
from tests import factories
from tests.api.serving import PATIENCE, read_error

pytestmark = pytest.mark.django_db(transaction=True)


def encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode(errors="surrogateescape")).decode()


def list_uids(program, path: str = "/workstations", **query: object) -> list[str]:
    return [one["id"] for one in program.call("GET", path, params=query).json()["data"]]


def test_one_s_own_are_listed_newest_first(program, alice, bob):
    own = [one.uid for one in factories.create_workstations(alice, 3)]
    factories.create_workstation(bob)
    assert list_uids(program) == own[::-1]


def test_a_list_comes_in_pages_both_ways(program, alice):
    own = [one.uid for one in factories.create_workstations(alice, 5)][::-1]
    first = program.call("GET", "/workstations", params={"limit": 2}).json()
    second = program.call("GET", "/workstations", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = program.call("GET", "/workstations", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    pages = [[one["id"] for one in page["data"]] for page in (first, second, third)]
    assert pages == [own[:2], own[2:4], own[4:]]
    assert first["previous_cursor"] is third["next_cursor"] is None
    assert list_uids(program, limit=2, cursor=third["previous_cursor"]) == own[2:4]


def test_a_list_may_be_bounded_by_times(program, alice):
    old, new = factories.create_workstations(alice, 2)
    models.Workstation.objects.filter(pk=old.pk).update(created_at=datetime(2021, 4, 7, 10, 30, tzinfo=UTC))
    assert list_uids(program, before="2021-04-07T10:30:01Z") == [old.uid]
    assert list_uids(program, after="2021-04-07T12:30:00+02:00") == [new.uid]
    both = program.call("GET", "/workstations", params={"limit": 1, "after": "2020-01-01"}).json()
    assert list_uids(program, cursor=both["next_cursor"]) == [old.uid]


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": one} for one in ("0", "101", "x", "", "-1", "²", "1e1")),
        *({"cursor": one} for one in ("", "x", "e30", "\u00e9", encode("\udcff"))),
        *({"cursor": encode(one)} for one in ("older=x", f"older={2**63}", "newer=-1", "before=x", "id=1", "pk__lt=1")),
        {"before": "yesterday"},
        {"before": ""},
        {"after": "9999-12-31T23:59:59-23:00"},
    ],
)
def test_what_no_list_has_is_refused(program, query):
    assert read_error(program.call("GET", "/workstations", params=query)) == (400, "Invalid Request Format")


def test_a_cursor_cannot_ask_for_what_is_another_s(program, bob):
    factories.create_workstations(bob, 3)
    assert list_uids(program, cursor=encode("newer=0")) == []


def test_the_history_has_what_has_ended(program, alice, bob):
    ended, _ = factories.create_workstations(alice, 2)
    models.Workstation.objects.filter(pk=ended.pk).update(ended_at=Now())
    other = factories.create_workstation(bob)
    models.Workstation.objects.filter(pk=other.pk).update(ended_at=Now())
    [told] = program.call("GET", "/workstations/history").json()["data"]
    assert (told["id"], told["status"]) == (ended.uid, "completed")


def test_the_types_are_the_contract_s_until_a_list_was_read(program):
    told = program.call("GET", "/workstations/types").json()
    assert [one["id"] for one in told["data"]] == models.Request.Type.values


def test_the_types_are_described_as_the_provider_does(program):
    factories.acquire_lease(name="types").run(types.read_types, client=clients.make_client())
    [python] = [one for one in program.call("GET", "/workstations/types").json()["data"] if one["id"] == "python"]
    assert python["software"] == ["terminal", "ssh", "python"]


@pytest.mark.parametrize("path", ["/workstations/{}", "/workstations/{}/release"])
def test_what_is_another_s_is_as_what_never_was(program, bob, path):
    method = "DELETE" if path.endswith("release") else "GET"
    uid = factories.create_workstation(bob).uid
    other, never = (program.call(method, path.format(one)) for one in (uid, "neverexisted"))
    assert other.json() == never.json()
    assert read_error(other) == (422, "Unprocessable Entity")
    assert models.Workstation.objects.get(uid=uid).release_requested_at is None


def test_who_sees_everything_does_not_by_a_token(make_program, olga, alice):
    uid = factories.create_workstation(alice).uid
    program = make_program(olga)
    assert list_uids(program) == []
    assert program.call("GET", f"/workstations/{uid}").status_code == 422
    assert program.call("DELETE", f"/workstations/{uid}").status_code == 422


def test_what_was_shared_is_not_one_s_own(program, alice, bob):
    workstation = factories.create_workstation(bob)
    models.Share.objects.create(workstation=workstation, person=alice, level="work")
    assert program.call("GET", f"/workstations/{workstation.uid}").status_code == 422


def test_the_contents_of_another_s_workspace_are_left_out(program, alice, bob):
    workstation = factories.create_workstation(alice)
    path = f"/workstations/{workstation.uid}"
    assert "files" in program.call("GET", path).json()["workspace"]
    models.Workspace.objects.update(owner=bob)
    for told in (program.call("GET", path).json(), program.call("GET", "/workstations").json()["data"][0]):
        assert told["workspace"].keys() == {"id", "status", "createdAt"}


def test_one_that_has_ended_is_not_found_singly(program, alice):
    workstation = factories.create_workstation(alice)
    models.Workstation.objects.update(ended_at=Now())
    assert program.call("GET", f"/workstations/{workstation.uid}").status_code == 422
    assert program.call("DELETE", f"/workstations/{workstation.uid}").status_code == 422


@pytest.mark.parametrize("path", ["/workstations/{}", "/workstations/{}/release"])
def test_a_release_is_answered_when_the_provider_has_confirmed_it(program, server, sandbox, alice, path):
    uid = factories.create_workstation(alice).uid
    answer = program.begin("DELETE", path.format(uid))
    server.await_waiting(1)
    factories.send_releases()
    assert answer.result(PATIENCE).json() == {"type": "python", "released": True}
    assert sandbox.record()["workstations"][0]["released"]
    event = models.Event.objects.get(verb="request-release")
    assert (event.actor_name, event.detail["token"]) == ("alice", models.Token.objects.get().pk)


def test_one_that_is_being_released_is_waited_for(program, server, alice):
    uid = factories.create_workstation(alice).uid
    both = [program.begin("DELETE", f"/workstations/{uid}") for _ in range(2)]
    server.await_waiting(2)
    factories.send_releases()
    assert [answer.result(PATIENCE).status_code for answer in both] == [200, 200]
    assert models.Event.objects.filter(verb="request-release").count() == 1


def test_nobody_releases_too_often(program, alice, settings):
    settings.PORTAL_LIMITS = True
    uid = factories.create_workstation(alice).uid
    models.Limit.objects.filter(kind="act").delete()
    models.Limit.objects.create(kind="act", who=str(alice.pk), count=30)
    assert read_error(program.call("DELETE", f"/workstations/{uid}")) == (429, "Too Many Requests")


@pytest.mark.parametrize("uid", ["%00", "%ff", "x" * 300, "a%2Fb", "%2e"])
def test_an_id_that_nothing_has_is_not_found(program, uid):
    assert program.call("GET", f"/workstations/{uid}").status_code == 422


@pytest.mark.parametrize("uid", ["w\u2713rk", "a b", "a?b#c", "100%"])
def test_a_page_s_address_is_named_whatever_its_uid(program, alice, uid):
    models.Workstation.objects.filter(pk=factories.create_workstation(alice).pk).update(uid=uid)
    answer = program.call("GET", f"/workstations/{quote(uid, safe='')}")
    assert answer.headers["X-Portal-Page"].endswith(f"/workstations/{quote(uid, safe='')}/")
