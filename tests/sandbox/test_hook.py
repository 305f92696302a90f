"""The one place where another provider is made of the sandbox's: before each answer."""

from collections.abc import Callable, Iterator

import pytest
import requests

from portal.sandbox import provider, server
from portal.sandbox.calls import Call
from portal.sandbox.provider import POST
from portal.sandbox.responses import Response, reply_error
from tests.sandbox.caller import Caller


class Hooked(provider.Provider):
    """Does as it was told, and remembers what it was asked for."""

    told: Response | None = None

    def before_answer(self, call: Call, *, operation: str, uid: str) -> Response | None:
        self.asked = (operation, uid, call.method)
        return self.told or super().before_answer(call, operation=operation, uid=uid)


class Sandbox(server.Sandbox):
    provider_class = Hooked
    provider: Hooked


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(file_every=0) as running:
        yield running


@pytest.fixture
def tell(sandbox: Sandbox) -> Callable[..., None]:
    """Let each call have this response from now on."""
    return lambda **words: setattr(sandbox.provider, "told", Response(**words))


def test_a_response_replaces_the_answer_and_what_it_would_have_done(alice, tell, sandbox):
    tell(reply=reply_error(503), carried_out=False)
    assert alice.ask().status_code == 503
    assert sandbox.provider.asked == (POST, "", "POST")
    tell()
    assert alice.uids() == []


def test_a_response_replaces_the_answer_alone(alice, tell):
    tell(reply=reply_error(500))
    assert alice.ask().status_code == 500
    tell()
    assert len(alice.uids()) == 1


def test_a_response_amends_the_answer_of_the_store(alice, tell, sandbox):
    uid = alice.make()
    tell(amend=lambda document: {**document, "status": "errored"})
    assert alice.read(uid).json()["status"] == "errored"
    assert sandbox.provider.asked == ("GET /workstations/{id}", uid, "GET")


def test_without_a_response_the_call_is_answered_by_its_reserved_name_or_the_store(alice):
    assert alice.ask(workspace="fail-402").status_code == 402
    assert alice.ask().status_code == 200


def test_the_sandbox_s_own_addresses_are_nobody_s_to_change(alice: Caller, tell):
    (file, *_) = alice.ask().json()["workspace"]["files"]["data"]
    tell(reply=reply_error(503))
    assert requests.get(file["url"], timeout=30).status_code == 200
