"""What a token with all scopes gets at every address of /v1 and /api: one that is not in the table fails."""

import re
from collections.abc import Iterator

import pytest
import requests
from django.contrib.auth.models import Group

from portal import models
from portal.api import operations, own
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
# The letters of each row: another member, auditor, operator, administrator, a member's service account, and last the
# member whose it is, after whom it may be gone.
ROLES = ("bob", "anna", "olga", "root", "service", "alice")
# a: allowed, or refused for another reason than who it is. u: 401. f: 403. n: as what never was.
ALL, REQUESTERS, OWN, OWN_TO_REQUESTERS = "aaaaaa", "afaaaa", "nnnnna", "nfnnna"
OWN_OR_SEES_ALL, SEES_ALL = "naaana", "faaaff"
ROWS = {
    **dict.fromkeys(("GET /v1/workstations", "GET /v1/workstations/history", "GET /v1/workstations/types"), ALL),
    "POST /v1/workstations": REQUESTERS,
    **dict.fromkeys(("GET /v1/workstations/{id}", "DELETE /v1/workstations/{id}"), OWN),
    "DELETE /v1/workstations/{id}/release": OWN,
    **{f"POST /v1/workstations/{{id}}/{kind.way.path}": OWN for kind in models.Connection.Kind},
    **dict.fromkeys((f"{method} /v1/workstations/{{id}}/other" for method in ("GET", "POST", "DELETE")), OWN),
    **dict.fromkeys(("GET /api/openapi.json", "GET /api/requests", "GET /api/key", "GET /api/limits"), ALL),
    **dict.fromkeys(("GET /api/usage", "GET /api/exports/requests.{form}"), ALL),
    "GET /api/requests/{number}": OWN_OR_SEES_ALL,
    "POST /api/requests/{number}/cancel": OWN_TO_REQUESTERS,
    "POST /api/workstations/{id}/end": OWN_TO_REQUESTERS,
    "GET /api/events": SEES_ALL,
}
QUERIES = {"GET /api/usage": "?since=2026-01-01&until=2026-01-02"}


def list_addresses() -> Iterator[str]:
    for route in (*operations._ROUTES, *operations._OTHERS):
        path = route.pattern.pattern.replace("([^/]+)", "{id}")
        yield f"{route.method} {re.sub(r'[(]\?!.*', 'other', path)}"
    for path, view in own.api.default_router.path_operations.items():
        named = path.replace("{int:number}", "{number}").replace("{uid}", "{id}")
        yield from (f"{method} /api{named}" for one in view.operations for method in one.methods)


def classify(answer: requests.Response) -> str:
    status = answer.status_code
    never_was = 422 if "/v1/" in answer.url else 404
    letters = {401: "u", 403: "f", never_was: "n"}
    return letters.get(status, "a" if status in (200, 503) else f"<{status}>")  # 503: nobody sends here


def test_every_address_has_a_row_and_every_row_an_address():
    assert sorted(list_addresses()) == sorted(ROWS)


@pytest.mark.parametrize("address", ROWS)
def test_every_role_gets_what_the_table_says(make_program, hasty, alice, bob, anna, olga, root, address):
    factories.set_policy(passes_on=True)
    service = models.User.objects.create_user("service", is_service=True)
    service.groups.set(Group.objects.filter(name="Members"))
    workstation, waiting = factories.create_workstation(alice, type="max"), factories.submit(alice)
    method, _, path = address.partition(" ")
    path = path.format(id=workstation.uid, number=waiting.pk, form="csv") + QUERIES.get(address, "")
    sent = {"json": {"type": "python", "lifetime": "2h"}} if method == "POST" else {}
    people = {"bob": bob, "anna": anna, "olga": olga, "root": root, "service": service, "alice": alice}
    got = [classify(make_program(people[role]).call(method, path, root="", **sent)) for role in ROLES]
    assert "".join(got) == ROWS[address]


@pytest.mark.parametrize("address", sorted(ROWS.keys() - {"GET /api/openapi.json"}))  # which is everybody's
def test_without_a_role_nobody_gets_anything(program, alice, address):
    uid = factories.create_workstation(alice, type="max").uid
    alice.groups.clear()
    method, _, path = address.partition(" ")
    assert program.call(method, path.format(id=uid, number=1, form="csv"), root="").status_code == 403
