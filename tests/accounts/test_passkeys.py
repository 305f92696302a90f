"""Passkeys of a device that obeys whoever asks it, unlike a browser: what it signs for another host lets nobody in."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.urls import reverse
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from portal import models
from tests import factories
from tests.browser import Browser, read

pytestmark = pytest.mark.django_db

HOST = "testserver"
_ID = b"a credential of this test"
_FLAGS = AuthenticatorData.FLAG
_SHOWN = _FLAGS.UP | _FLAGS.UV


@dataclass(frozen=True, kw_only=True)
class Device:
    """Signs for `host`, on a page of `origin`."""

    key: ec.EllipticCurvePrivateKey
    host: str = HOST
    origin: str = f"https://{HOST}"
    flags: AuthenticatorData.FLAG = _SHOWN
    count: int = 0

    def create(self, challenge: str) -> dict[str, Any]:
        data = AttestedCredentialData.create(b"\0" * 16, _ID, ES256.from_cryptography_key(self.key.public_key()))
        found = AuthenticatorData.create(self._hash_host(), self.flags | _FLAGS.AT, 0, data)
        attested = AttestationObject.create("none", found, {})
        return self._answer("webauthn.create", challenge, attestationObject=websafe_encode(attested))

    def sign(self, challenge: str, person: models.User) -> dict[str, Any]:
        found = AuthenticatorData.create(self._hash_host(), self.flags, self.count)
        said = self._say("webauthn.get", challenge)
        signature = self.key.sign(found + said.hash, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            "webauthn.get",
            challenge,
            authenticatorData=websafe_encode(found),
            signature=websafe_encode(signature),
            userHandle=websafe_encode(user_pk_to_url_str(person).encode()),
        )

    def _hash_host(self) -> bytes:
        return hashlib.sha256(self.host.encode()).digest()

    def _say(self, kind: str, challenge: str) -> CollectedClientData:
        return CollectedClientData.create(kind, websafe_decode(challenge), self.origin)

    def _answer(self, kind: str, challenge: str, **parts: str) -> dict[str, Any]:
        number = websafe_encode(_ID)
        response = {"clientDataJSON": websafe_encode(self._say(kind, challenge)), **parts}
        return {"id": number, "rawId": number, "type": "public-key", "response": response}


KEY = ec.generate_private_key(ec.SECP256R1())
OTHERS = {
    "another host": Device(key=KEY, host="elsewhere.example", origin="https://elsewhere.example"),
    "another host, as the page of this one": Device(key=KEY, host="elsewhere.example"),
    "a page of another host": Device(key=KEY, origin="https://elsewhere.example"),
    "a host whose name begins alike": Device(key=KEY, origin=f"https://{HOST}.elsewhere.example"),
    "a page of a host below this one": Device(key=KEY, origin=f"https://below.{HOST}"),
    "a page of another port": Device(key=KEY, origin=f"https://{HOST}:8443"),
    "a page without TLS": Device(key=KEY, origin=f"http://{HOST}"),
    "another key": Device(key=ec.generate_private_key(ec.SECP256R1())),
}
UNSEEN = Device(key=KEY, flags=_FLAGS.UP)  # it has not made sure that its owner is there


def add_passkey(browser: Browser, device: Device):
    page = browser.get(reverse("mfa_add_webauthn"))
    credential = device.create(page.context["options"]["challenge"])
    return browser.post(reverse("mfa_add_webauthn"), {"name": "Laptop", "credential": json.dumps(credential)})


def ask(browser: Browser) -> str:
    told = browser.get(reverse("mfa_login_webauthn"), headers={"Accept": "application/json"}).json()
    return told["request_options"]["publicKey"]["challenge"]


def answer(browser: Browser, device: Device, person: models.User, challenge: str):
    sent = {"credential": json.dumps(device.sign(challenge, person))}
    return browser.post(reverse("mfa_login_webauthn"), sent)


def use_passkey(browser: Browser, device: Device, person: models.User):
    return answer(browser, device, person, ask(browser))


@pytest.fixture
def passkey(alice, sign_in) -> Device:
    device = Device(key=KEY)
    assert add_passkey(sign_in(alice), device).headers["Location"] == reverse("mfa_view_recovery_codes")
    return device


def test_of_this_host_it_is_the_whole_sign_in(client, passkey, alice):
    assert use_passkey(client, passkey, alice).headers["Location"] == "/"
    assert client.get("/").status_code == 200
    assert models.Event.objects.get(verb="sign-in").detail == {"factors": ["webauthn"]}


@pytest.mark.parametrize("device", [*OTHERS.values(), UNSEEN], ids=[*OTHERS, "a device that anybody may use"])
def test_nobody_signs_in_by_one_of(client, passkey, alice, device):
    assert use_passkey(client, device, alice).headers["Location"] == reverse("account_login")
    assert "This passkey is not known here" in read(client.get(reverse("account_login")))
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("device", OTHERS.values(), ids=OTHERS)
def test_it_is_no_second_factor_either(client, passkey, alice, device):
    client.post(reverse("account_login"), {"username": "alice", "password": factories.PASSWORD})
    challenge = client.get(reverse("mfa_authenticate")).context["js_data"]["request_options"]["publicKey"]["challenge"]
    credential = device.sign(challenge, alice)
    client.post(reverse("mfa_authenticate"), {"credential": json.dumps(credential)})
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("name", ["another host", "a page of a host below this one", "a page without TLS"])
def test_nor_is_one_added(alice, sign_in, name):
    assert add_passkey(sign_in(alice), OTHERS[name]).status_code == 200
    assert not Authenticator.objects.exists()


def test_a_challenge_is_answered_once_though_its_cookie_was_kept(client, passkey, alice):
    challenge, kept = ask(client), client.cookies[settings.PASSKEY_COOKIE]
    assert kept["httponly"]
    for path in ("/", reverse("account_login")):
        client.cookies[settings.PASSKEY_COOKIE] = kept.value
        assert answer(client, passkey, alice, challenge).headers["Location"] == path
        client.post(reverse("logout"))


@pytest.mark.parametrize("challenge", ["", "AAAA"])
def test_nor_is_one_that_the_portal_did_not_sign(client, passkey, alice, challenge):
    client.cookies[settings.PASSKEY_COOKIE] = challenge
    assert answer(client, passkey, alice, challenge).headers["Location"] == reverse("account_login")


def test_asking_for_a_challenge_stores_nothing(client, passkey, alice):
    before = models.Session.objects.count()
    answer(client, OTHERS["another key"], alice, ask(client))
    assert models.Session.objects.count() == before


def test_a_copy_is_known_by_a_counter_that_does_not_go_on(passkey, alice):
    for count, path in ((0, "/"), (7, "/"), (7, "/accounts/login/"), (6, "/accounts/login/"), (0, "/accounts/login/")):
        device = replace(passkey, count=count)
        assert use_passkey(Browser(), device, alice).headers["Location"] == path, count


def test_using_one_takes_no_guess_back(passkey, alice):
    for number in range(21):
        values = {"username": f"nobody{number}", "password": "guess"}
        response = Browser(REMOTE_ADDR="198.51.100.7").post(reverse("account_login"), values)
        use_passkey(Browser(REMOTE_ADDR="198.51.100.7"), passkey, alice)
    assert response.status_code == 429


def test_what_is_no_credential_is_refused_without_a_word_in_the_log(client, alice, sign_in, caplog):
    browser, credential = sign_in(alice), Device(key=KEY).create("AAAA")
    browser.get(reverse("mfa_add_webauthn"))
    short = dict.fromkeys(("attestationObject", "authenticatorData", "signature"), "GwA")
    too_short = json.dumps(credential | {"response": credential["response"] | short})
    for sent in ('{"id": "x"}', "[]", "7", '{"response": 7}', "{", too_short):
        response = client.post(reverse("mfa_login_webauthn"), {"credential": sent})
        assert response.headers["Location"] == reverse("account_login")
        page = read(browser.post(reverse("mfa_add_webauthn"), {"credential": sent}))
        assert "The passkey was not added" in page
    assert not caplog.records
