"""What the portal relies on, asked of the sandbox and of the tests' provider always, and of the real one on demand.

The real provider is asked when PORTAL_CONTRACT_BASE_URL and PORTAL_CONTRACT_API_KEY are both set. It is sent one POST,
which it charges for; the workstation is released at the end, whatever fails.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import openapi_core
import pytest
import requests
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

from portal.sandbox import names, server
from tests.provider import server as lying

OPENAPI = Path(__file__).parent / "openapi.yaml"
OURS: dict[str, type[server.Sandbox]] = {"sandbox": server.Sandbox, "tests": lying.Sandbox}
REAL = {name: os.environ.get(f"PORTAL_CONTRACT_{name}", "") for name in ("BASE_URL", "API_KEY")}


class Account:
    """Calls with a key, each request and each answer checked against the OpenAPI file."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url.rstrip("/")
        contract = openapi_core.OpenAPI.from_file_path(str(OPENAPI)).spec.read_value()
        contract["servers"] = [{"url": self._base_url}]
        self._contract = openapi_core.OpenAPI.from_dict(contract)
        self._session = requests.Session()
        self._session.trust_env = False
        self._key = key

    def call(
        self, method: str, path: str, *, key: str | None = None, sound: bool = True, **options
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._key if key is None else key}"}
        wish = requests.Request(method, self._base_url + path, headers=headers, **options)
        prepared = self._session.prepare_request(wish)
        answer = self._session.send(prepared, timeout=60, allow_redirects=False)
        request = RequestsOpenAPIRequest(prepared)
        if sound:
            self._contract.validate_request(request)
        self._contract.validate_response(request, RequestsOpenAPIResponse(answer))
        return answer

    def release(self, uid: str) -> requests.Response:
        return self.call("DELETE", f"/workstations/{uid}/release")

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module", params=["sandbox", "tests", "provider"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    if request.param in OURS:
        with (
            OURS[request.param]() as sandbox,
            contextlib.closing(Account(sandbox.base_url, names.DEFAULT_API_KEY)) as account,
        ):
            yield account
        return
    if not all(REAL.values()):
        pytest.skip("PORTAL_CONTRACT_BASE_URL and PORTAL_CONTRACT_API_KEY are not both set")
    with contextlib.closing(Account(REAL["BASE_URL"], REAL["API_KEY"])) as account:
        yield account


@pytest.fixture(scope="module")
def workstation(account: Account) -> Iterator[dict]:
    """The one workstation that is paid for."""
    answer = account.call("POST", "/workstations", json={"type": "python"})
    assert answer.status_code == 200, answer.text
    made = answer.json()
    yield made
    # A test may have released it already, and what is answered then is not documented.
    account.release(made["id"])


def test_a_workstation_is_made_active_in_a_workspace(workstation):
    assert workstation["type"] == "python"
    assert workstation["status"] == "active"
    assert workstation["workspace"]["id"]


def test_it_can_be_retrieved(account, workstation):
    answer = account.call("GET", f"/workstations/{workstation['id']}")

    assert answer.status_code == 200
    assert answer.json()["id"] == workstation["id"]
    assert answer.json()["workspace"]["id"] == workstation["workspace"]["id"]


@pytest.mark.parametrize(("way", "schemes"), [("sandbox/pty", ("ws", "wss")), ("log/stream", ("http", "https"))])
def test_a_terminal_and_a_stream_of_its_log_can_be_opened_into_it(account, workstation, way, schemes):
    answer = account.call("POST", f"/workstations/{workstation['id']}/{way}")

    assert answer.status_code == 200
    assert answer.json()["url"].startswith((f"{schemes[0]}://127.0.0.1:", f"{schemes[1]}://"))


@pytest.mark.parametrize("way", ["vncwss", "vnc", "sandbox/pty", "browser/cdp", "log/stream"])
def test_no_connection_leads_into_what_does_not_exist(account, way):
    assert account.call("POST", f"/workstations/neverexisted/{way}").status_code == 422


def test_it_is_in_the_active_list(account, workstation):
    assert workstation["id"] in list_all(account, "/workstations")


def list_all(account: Account, path: str) -> list[str]:
    uids, params = [], {"limit": 100}
    while True:
        answer = account.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        uids += [workstation["id"] for workstation in answer.json()["data"]]
        cursor = answer.json().get("next_cursor")
        if not cursor:
            return uids
        assert cursor != params.get("cursor"), "the cursor repeats itself"
        params = {"limit": 100, "cursor": cursor}


def test_a_list_keeps_to_its_limit(account, workstation):
    assert len(account.call("GET", "/workstations", params={"limit": 1}).json()["data"]) == 1


@pytest.mark.parametrize(("method", "path"), [("GET", "/workstations"), ("GET", "/workstations/history")])
def test_a_wrong_key_is_refused(account, method, path):
    assert account.call(method, path, key="wrong-on-purpose").status_code == 401


def test_the_types_are_listed(account):
    answer = account.call("GET", "/workstations/types")

    assert answer.status_code == 200
    assert answer.json()["data"]


def test_an_unknown_type_is_refused(account):
    answer = account.call("POST", "/workstations", json={"type": "no-such-type"}, sound=False)

    assert answer.status_code in (400, 422)
    assert answer.json().keys() >= {"error", "message"}


def test_an_unknown_workspace_or_workstation_is_not_found(account):
    wish = {"type": "python", "workspace_id": "000000000000"}
    assert account.call("POST", "/workstations", json=wish).status_code == 422
    assert account.call("GET", "/workstations/000000000000").status_code == 422
    assert account.release("000000000000").status_code == 422


def test_released_it_moves_to_the_history(account, workstation):
    answer = account.release(workstation["id"])

    assert answer.status_code == 200
    assert answer.json() == {"type": "python", "released": True}
    assert workstation["id"] not in list_all(account, "/workstations")
    assert workstation["id"] in list_all(account, "/workstations/history")
