"""One suite of calls, made to the provider itself and to the portal: both answer alike."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from portal import models
from portal.services.mirrors import types
from portal.services.runtime import clients
from tests import factories
from tests.api.serving import PATIENCE
from tests.worker.running import run_worker

pytestmark = pytest.mark.django_db(transaction=True)
type Call = Callable[..., requests.Response]


def write_suite(call: Call) -> Iterator[requests.Response]:
    """What a program does in a day, right and wrong."""
    yield call("GET", "/workstations/types")
    yield call("POST", "/workstations", json={"type": "python"})
    made = call("POST", "/workstations", json={"type": "golang"})
    yield made
    uid, space = made.json()["id"], made.json()["workspace"]["id"]
    yield call("POST", "/workstations", json={"type": "golang", "workspace_id": space, "name": "x"})
    yield call("GET", f"/workstations/{uid}")
    for kind in models.Connection.Kind:
        for name in (uid, "000000000000"):
            yield call("POST", f"/workstations/{name}/{kind.way.path}")
    yield call("GET", f"/workstations/{uid}/vncwss")
    for query in ({}, {"limit": 1}, {"limit": 0}, {"limit": "x"}, {"cursor": "x"}, {"before": "x"}, {"after": "2020"}):
        yield call("GET", "/workstations", params=query)
        yield call("GET", "/workstations/history", params=query)
    first = call("GET", "/workstations", params={"limit": 2})
    second = call("GET", "/workstations", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    yield from (first, second)
    yield call("GET", "/workstations", params={"limit": 2, "cursor": second.json()["previous_cursor"]})
    yield call("GET", "/workstations", params={"before": "2020-01-01T00:00:00Z"})
    yield call("DELETE", f"/workstations/{uid}/release")
    yield call("DELETE", f"/workstations/{uid}/release")
    yield call("POST", f"/workstations/{uid}/sandbox/pty")
    yield call("GET", f"/workstations/{uid}")
    yield call("GET", "/workstations")
    yield call("GET", "/workstations/history")
    for body in (b"", b"{", b"[]", b'{"type": "none"}', b'{"type": "python", "workspace_id": 1}'):
        yield call("POST", "/workstations", data=body)
    for name in ("000000000000", "fail-400", "fail-402", "fail-422", "fail-418"):
        yield call("POST", "/workstations", json={"type": "python", "workspace_id": name})
        resume()
    for method, path in (
        *(("PUT", "/workstations"), ("OPTIONS", "/workstations"), ("POST", "/workstations/x/release")),
        *(("GET", "/nothing"), ("GET", "/workstations/"), ("GET", "/workstations/000000000000")),
    ):
        yield call(method, path)
    yield call("GET", "/workstations", headers={"Authorization": "Bearer wrong"})


def resume() -> None:
    """What pauses the key here does not pause it there."""
    models.Key.objects.update(state="ACTIVE", cause="", paused_at=None, paused_until=None, operator_only=False)


def describe(answer: requests.Response) -> tuple[object, ...]:
    document = answer.json()
    shape = document if answer.status_code >= 500 else _describe(document)
    error = document.get("error") if answer.status_code >= 400 else None
    return answer.request.method, answer.status_code, error, shape, answer.headers["Content-Type"]


_CHANGING = ("id", "createdAt", "startedAt", "next_cursor", "previous_cursor", "url", "files", "logs")


def _describe(value: Any, name: str = "") -> Any:
    """The document's fields; of what is random, a time, or comes with time that it is there."""
    if isinstance(value, dict) and name not in _CHANGING:
        return {key: _describe(one, key) for key, one in value.items() if key != "message"}
    if isinstance(value, list):
        return [_describe(one) for one in value]
    return bool(value) if name in _CHANGING else value


def test_the_portal_answers_as_the_provider_does(program, sandbox, alice):
    factories.acquire_lease(name="types").run(types.read_types, client=clients.make_client())

    def ask_provider(method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": "Bearer sandbox"} | options.pop("headers", {})
        return requests.request(method, sandbox.base_url + path, headers=headers, timeout=PATIENCE, **options)

    told = [describe(answer) for answer in write_suite(ask_provider)]
    sandbox.reset()
    with run_worker():
        own = [describe(answer) for answer in write_suite(program.call)]
    assert own == told
