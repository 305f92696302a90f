"""Files and logs are for the owner of their workspace; names and sizes also for who sees everything."""

import base64
import json
from typing import Any

import pytest

from portal import models
from tests import factories
from tests.services.mirroring import response, store

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "https://files.example/plan?signature=s3cret"


def tell(uid: str) -> dict[str, Any]:
    """What the provider tells of a workstation in the workspace that both use."""
    document = response(id=uid)
    document["workspace"]["files"]["data"] = [{"id": "f1", "name": "plan.txt", "url": ADDRESS, "size": 1500}]
    document["workspace"]["logs"]["data"] = [{"id": "l1", "type": "boot", "level": "info", "url": ADDRESS}]
    return document


@pytest.fixture
def shared(sandbox, alice, bob) -> models.Workspace:
    """A workspace that alice used first, and bob after her."""
    store(tell("hers"), factories.submit(alice))
    store(tell("his"), factories.submit(bob))
    workspace = models.Workspace.objects.get()
    assert workspace.owner == alice
    return workspace


def read(browser, path: str) -> str:
    response = browser.post(path) if path.endswith(".json") else browser.get(path)
    assert response.status_code == 200, path
    return response.text


def test_the_owner_alone_sees_names_and_addresses(shared, alice, bob, sign_in):
    for path in ("/workstations/hers/", "/workstations/hers/live/", f"/workspaces/{shared.uid}/"):
        page = read(sign_in(alice), path)
        assert "plan.txt" in page
        assert f'href="{ADDRESS}"' in page
    for path in ("/workstations/his/", "/workstations/his/live/"):
        page = read(sign_in(bob), path)
        assert "The workspace belongs to somebody else" in page
        assert not [words for words in ("plan.txt", "s3cret") if words in page]
    assert sign_in(bob).get(f"/workspaces/{shared.uid}/").status_code == 404


@pytest.mark.parametrize("who", ["anna", "olga", "root"])
def test_who_sees_everything_sees_names_and_sizes_and_no_address(shared, who, sign_in, request):
    browser = sign_in(request.getfixturevalue(who))
    for path in ("/workstations/hers/", "/workstations/his/", f"/workspaces/{shared.uid}/"):
        page = read(browser, path)
        assert "plan.txt" in page
        assert "1.5 KB" in page
        assert "s3cret" not in page


@pytest.mark.parametrize("encoding", ["utf-8", "base64"])
def test_evidence_holds_no_address(sandbox, alice, olga, sign_in, encoding):
    level = "boot" if encoding == "utf-8" else "b\udce4"
    body = json.dumps(tell("hers")).replace("boot", level).encode("utf-8", "surrogateescape")
    sandbox.script({"status": 200, "body": body})
    portal_request = factories.submit_and_settle(alice)
    assert b"s3cret" in factories.read_response(portal_request.attempts.get())
    bundle = read(sign_in(olga), f"/requests/{portal_request.pk}/evidence.json")
    shown = json.loads(bundle)["attempts"][0]["response"]
    told = base64.b64decode(shown["body"]).decode(errors="replace") if encoding == "base64" else shown["body"]
    assert shown["encoding"] == encoding
    assert "s3cret" not in bundle + told
    assert "(address not shown)" in told


def test_what_is_named_as_a_secret_is_shown_to_nobody(sandbox, alice, anna, olga, root, sign_in):
    document = tell("hers") | {"vncPassword": "p4ss", "login": {"x-amz-signature": "s1gn", "user": "desk"}}
    document["workspace"]["cookies"] = ["c00kie"]
    sandbox.script({"status": 200, "body": document})
    portal_request = factories.submit_and_settle(alice)
    attempt, workstation = portal_request.attempts.get(), portal_request.workstation
    space = factories.get_workspace(workstation)
    paths = [
        (alice, "/workstations/hers/"),
        (alice, f"/workspaces/{space.uid}/"),
        (anna, "/workstations/hers/"),
        (anna, f"/admin/portal/attempt/{attempt.pk}/change/"),
        (anna, f"/admin/portal/workstation/{workstation.pk}/change/"),
        (root, f"/admin/portal/workspace/{space.pk}/change/"),
        (olga, f"/requests/{portal_request.pk}/evidence.json"),
    ]

    for person, path in paths:
        page = read(sign_in(person), path)
        assert "(not shown)" in page, path
        assert not [secret for secret in ("p4ss", "s1gn", "c00kie") if secret in page], path
    assert b"p4ss" in factories.read_response(attempt)  # as it came
    assert "p4ss" in workstation.raw
    assert "desk" in read(sign_in(alice), "/workstations/hers/")
