"""The key is nowhere but in the Authorization header, and an address of a connection only where it was asked for."""

import logging
from collections.abc import Iterable
from contextlib import suppress

import pytest
from django.apps import apps
from django.urls import reverse

from portal import models
from portal.sandbox import names
from portal.services.connections import ending, opening
from portal.services.key import accounts, circuit_breaker
from tests import factories
from tests.provider import server

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "ak-very-secret-0123456789"
ADDRESS = "ws://127.0.0.1:9/v1/pty/very-secret-address"
SECRETS = (KEY, "very-secret-address")
# What only takes long, or is tried again for ever; a single 429 is scripted below.
SKIPPED = {"slow-5", "fail-429", "fail-429-retry-3"}


@pytest.fixture
def after_every_failure(settings, caplog, alice, olga):
    """A portal to which the sandbox has done all that it can; the provider repeats the key in one response."""
    caplog.set_level(logging.DEBUG)
    with server.Sandbox(api_key=KEY) as sandbox:
        settings.AGENTSTATION_BASE_URL = sandbox.base_url
        settings.AGENTSTATION_API_KEY = KEY
        settings.AGENTSTATION_TOTAL_TIMEOUT = 0.5
        for name in names.RESERVED:
            if name.uid in SKIPPED:
                continue
            factories.send_until_settled(factories.submit(alice, workspace_uid=name.uid))
            if models.Key.objects.filter(state="PAUSED").exists():
                circuit_breaker.resume_key(actor=olga, account=accounts.get_current_account())
                factories.send_until_settled(factories.submit(alice))
        sandbox.script([{"name": "fail-429"}])
        factories.send_until_settled(factories.submit(alice))
        for status in (400, 500, 200):
            sandbox.script([{"status": status, "body": {"error": f"bad key {KEY}", "message": f"Bearer {KEY}"}}])
            factories.send_until_settled(factories.submit(alice))
        open_connections(sandbox, alice, factories.send_until_settled(factories.submit(alice, type="max")).workstation)
        yield


def open_connections(sandbox, person: models.User, workstation: models.Workstation) -> None:
    """One that stands, one that ended, and one that is refused in words that have its address."""
    given = {"status": 200, "body": {"url": ADDRESS}}
    refusal = {"status": 422, "body": {"error": "No", "message": f"It is open at {ADDRESS}."}}
    kind = models.Connection.Kind.TERMINAL
    for number, answer in enumerate([given, given, refusal]):
        sandbox.script({"on": "POST /workstations/{id}/sandbox/pty", **answer})
        with suppress(opening.NotOpened):
            opened = opening.open_connection(person=person, workstation=workstation, kind=kind)
            assert opened.address == ADDRESS
            if number:
                ending.end_connection(connection=opened.connection, by=person)


def test_the_key_is_nowhere_after_every_failure(after_every_failure, caplog, sign_in, olga, root):
    assert models.Attempt.objects.count() > len(names.RESERVED)
    for model in apps.get_models():
        for row in model._default_manager.values_list():
            stored = str([bytes(value) if isinstance(value, memoryview) else value for value in row])
            assert not [secret for secret in SECRETS if secret in stored], model

    pages = ("home", "request_list", "workstation_list", "workspace_list", "key", "usage")
    addresses = [reverse(name) for name in pages]
    uids = set(models.Connection.objects.values_list("workstation__uid", flat=True))
    addresses += [reverse(name, args=[uid]) for name in ("workstation_detail", "workstation_scripts") for uid in uids]
    addresses += [
        reverse("workstation_connection", args=[uid, kind]) for kind in models.Connection.HELD for uid in uids
    ]
    # One request of each failure: pages have what rows have, in which there is none.
    numbers = dict(models.Request.objects.order_by("pk").values_list("failure", "pk")).values()
    addresses += [reverse(name, args=[number]) for name in ("request_detail", "request_evidence") for number in numbers]
    keys: dict[str, Iterable[int]] = {
        "request": numbers,
        "attempt": models.Attempt.objects.filter(request__in=numbers).values_list("pk", flat=True),
        "connection": models.Connection.objects.values_list("pk", flat=True),
        "workstation": models.Workstation.objects.order_by("-pk").values_list("pk", flat=True)[:3],
    }
    addresses += [reverse(f"admin:portal_{name}_change", args=[pk]) for name, own in keys.items() for pk in own]
    browser = sign_in(root)
    for address in [*addresses, "/nowhere/"]:
        shown = browser.get(address).content.decode()
        assert not [secret for secret in SECRETS if secret in shown], address
    assert not [secret for secret in SECRETS if secret in caplog.text]


def test_an_error_page_shows_no_setting(sandbox, settings, sign_in, root, monkeypatch):
    settings.AGENTSTATION_API_KEY = KEY
    browser = sign_in(root)
    browser.raise_request_exception = False

    def fail(**values):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(circuit_breaker, "get_current_key", fail)
    response = browser.get("/")
    assert response.status_code == 500
    assert KEY not in response.content.decode()
