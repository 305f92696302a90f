"""How many passwords are hashed at one time."""

import threading
from contextlib import nullcontext

import pytest
from django.contrib.auth import hashers
from django.core.exceptions import ValidationError

from portal.accounts import passwords
from tests import factories


def test_a_few_are_let_in_a_few_wait_and_all_others_are_refused():
    gate = passwords.Gate(places=2, waiting=1, patience=0.05)
    release, inside, refused = threading.Event(), threading.Semaphore(0), []

    def enter() -> None:
        with gate.enter():
            inside.release()
            release.wait()

    holders = [threading.Thread(target=enter, daemon=True) for _ in range(2)]
    for holder in holders:
        holder.start()
        assert inside.acquire(timeout=10)
    # One may wait, and gives up after its patience.
    with pytest.raises(passwords.TooManyHashings), gate.enter():
        refused.append("never")
    release.set()
    for holder in holders:
        holder.join()
    assert not fails(gate)
    assert refused == []


def test_who_is_inside_hashes_there(monkeypatch):
    monkeypatch.setattr(passwords, "FRIENDS", passwords.Gate(places=1, waiting=0))
    with passwords.FRIENDS.enter():
        assert passwords.GatedHasher().encode("a long passphrase", "salt" * 6, 10)


def fails(gate: passwords.Gate) -> bool:
    try:
        with gate.enter():
            return False
    except passwords.TooManyHashings:
        return True


@pytest.mark.django_db
def test_a_flood_is_refused_with_503_and_counts_against_nobody(client, alice, settings, monkeypatch):
    settings.PASSWORD_HASHERS = ["portal.accounts.passwords.GatedHasher"]
    monkeypatch.setattr(passwords.GatedHasher, "iterations", 1)
    alice.set_password(factories.PASSWORD)
    alice.save()
    gate = passwords.Gate(places=1, waiting=0, patience=600)
    monkeypatch.setattr(passwords, "STRANGERS", gate)
    client.raise_request_exception = False
    values = {"username": "nobody", "password": "wrong"}
    mine, known = {"username": "alice", "password": factories.PASSWORD}, type(client)()
    assert known.post("/accounts/login/", mine).status_code == 302
    known.post("/accounts/logout/")
    begun, release = threading.Event(), threading.Event()

    def hold() -> None:
        with gate.enter():
            begun.set()
            release.wait()

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert begun.wait(timeout=10)
    for _ in range(8):
        response = client.post("/accounts/login/", values)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert "Too many people are signing in" in response.content.decode()
    # Whoever has signed in here before does not stand in that queue.
    client.cookies.load(known.cookies)
    assert client.post("/accounts/login/", mine).status_code == 302
    release.set()
    holder.join()


def test_the_portal_s_hasher_reads_what_django_s_wrote():
    encoded = hashers.PBKDF2PasswordHasher().encode("a long passphrase", "salt" * 6, 10)
    assert passwords.GatedHasher().verify("a long passphrase", encoded)
    assert not passwords.GatedHasher().verify("another", encoded)


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("Workstation2026!", False),
        ("AgentStationPortal", False),
        ("my-portal-1", False),
        ("my portal to elsewhere", True),
        ("correct horse battery", True),
        ("12345", True),  # too short, which is said elsewhere
    ],
)
def test_the_portal_s_own_words_are_no_password(password, is_taken):
    with nullcontext() if is_taken else pytest.raises(ValidationError):
        passwords.NotOurWords().validate(password)
