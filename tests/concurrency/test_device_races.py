"""Codes of `wsp login` at the same moment: one token is made of each, and no approval is lost."""

import pytest

from portal import models
from tests import factories
from tests.browser import Browser
from tests.concurrency import crowd

ROUNDS = 5
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_code_is_used_and_approved_once_whoever_comes_at_the_same_moment(alice, settings):
    settings.IDP_OIDC_DEVICE_CODE_INTERVAL = 0
    person = Browser()
    factories.sign_in(person, alice)
    for number in range(1, ROUNDS + 1):
        asked = Browser().post("/accounts/device/code/", {"client_id": "wsp"}).json()
        sent = {"client_id": "wsp", "grant_type": GRANT, "device_code": asked["device_code"]}

        def poll(sent: dict[str, str] = sent) -> bool:
            return "access_token" in Browser().post("/accounts/device/token/", sent).json()

        def approve(code: str = asked["user_code"]) -> bool:
            person.post("/accounts/device/", {"code": code, "answer": "approve", "scopes": "read"})
            return False

        given = [*crowd.run_together(approve, poll, poll), *crowd.run_together(poll, poll, poll)]
        assert given.count(True) == 1, given
        assert models.Token.objects.count() == number
