"""What the provider answers and its contract does not say becomes a notice, once, and breaks nothing."""

import pytest

from portal import agentstation, models
from portal.services import drift
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

WORKSTATION = {"id": "w1", "type": "max", "status": "active", "startedAt": "2026-01-02T03:04:05Z"}
WORKSPACE = {"id": "s1", "status": "active", "createdAt": "2026-01-02T03:04:05Z"}
FILE = {"id": "f1", "name": "a", "url": "https://files.example/a", "size": 1, "createdAt": "2026-01-02T03:04:05Z"}
LOG = {"id": "l1", "type": "boot", "level": "info", "createdAt": "2026-01-02T03:04:05Z"}


def find(**changes: object) -> set[str]:
    document = {name: value for name, value in (WORKSTATION | changes).items() if value != "-"}
    return set(drift.find_differences(workstation=agentstation.Workstation.from_dict(document)))


def within(*, files: tuple[dict[str, object], ...] = (), logs: tuple[dict[str, object], ...] = (), **changes: object):
    return {"workspace": WORKSPACE | {"files": {"data": list(files)}, "logs": {"data": list(logs)}} | changes}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, set()),
        (within(files=(FILE,), logs=(LOG, LOG | {"url": "https://x.example/"})), set()),
        ({"type": "quantum"}, {"workstation has the type quantum"}),
        ({"status": "paused"}, {"workstation has the status paused"}),
        ({"name": "box"}, {"workstation has a field name"}),
        ({"startedAt": "-"}, {"workstation lacks startedAt"}),
        ({"startedAt": None}, {"workstation lacks startedAt"}),
        (within(status="frozen"), {"workspace has the status frozen"}),
        (within(files=(FILE | {"hash": "x"},)), {"file has a field hash"}),
        (within(logs=(LOG | {"level": "trace"},)), {"log has the level trace"}),
        (
            within(logs=({"id": "l1", "level": "info", "createdAt": "2026-01-02T03:04:05Z"},)),
            {"log lacks type"},
        ),
        (
            {"type": ["a"], "status": {"b": 1}},
            {"workstation has the type ['a']", "workstation has the status {'b': 1}"},
        ),
    ],
)
def test_what_differs_from_the_contract_is_named(changes, kinds):
    assert find(**changes) == kinds


def answer(sandbox, requester: models.User, **changes: object) -> models.Request:
    sandbox.script({"status": 200, "body": WORKSTATION | changes})
    portal_request = factories.submit(requester)
    factories.send_once()
    return portal_request


def test_a_notice_is_raised_once_and_names_the_requests(sandbox, alice):
    numbers = [answer(sandbox, alice, id=f"w{number}", type="quantum").pk for number in range(3)]
    notice = models.Notice.objects.get()
    assert (notice.kind, notice.numbers) == ("workstation has the type quantum", numbers)
    assert '"type": "quantum"' in notice.example
    event = models.Event.objects.get(verb="notice")
    assert (event.target, event.request_number) == ("notice workstation has the type quantum", numbers[0])


def test_its_example_lets_nobody_in_and_breaks_nothing(sandbox, alice):
    bad = {
        "color\x00\ud800": "x" * 10_000,
        "link": "https://files.example/a?token=secret#more",
        "n": {"deep": "y" * 500},
    }
    answer(sandbox, alice, **bad)
    for notice in models.Notice.objects.all():
        assert "secret" not in notice.example
        assert len(notice.example) < 1000
    assert models.Notice.objects.count() == 3
    assert models.Request.objects.get().status == "SUCCEEDED"


def test_an_operator_acknowledges_it_once(sandbox, alice, anna, olga, sign_in):
    answer(sandbox, alice, type="<b>quantum</b>")
    notice = models.Notice.objects.get()
    address = f"/unknown/notices/{notice.pk}/acknowledge/"
    assert "&lt;b&gt;quantum" in sign_in(anna).get("/unknown/").text
    assert sign_in(anna).post(address).status_code == 403
    assert "shown no more" in sign_in(olga).post(address, follow=True).text
    assert "Somebody has acknowledged" in sign_in(olga).post(address, follow=True).text
    assert "quantum" not in sign_in(olga).get("/unknown/").text.replace("R-", "")
    assert models.Event.objects.get(verb="acknowledge").actor_name == "olga"
