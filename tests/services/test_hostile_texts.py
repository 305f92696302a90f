"""Whatever the provider writes, up to the most that is read of it, holds nobody up: work grows with its length alone.

A case that does not end is ended by pytest's own limit, which no honest one comes near.
"""

import json
from typing import Any

import pytest

from portal import agentstation, models
from portal.admin.base import columns
from portal.services.connections import hosts, opening
from portal.services.runtime import hidden
from portal.services.search import exporting
from portal.templatetags import ui
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

LARGEST = 1024 * 1024 - 1024  # bytes of a body, with room for what is around it
NESTED = json.dumps({"a": json.dumps({"b": json.dumps({"token": 'x"\\'})})}) + " "
UNITS = (
    *("a", '"', "[", '": "', '{"token":', NESTED, "9", ".", "/", ":", " ", "\\", "{", '\\"', "\x00", "\ud800"),
    *("Ab", "a:", "a.", "//a", "http", "https://", '"a" ', '"\\u0061', "=,", '{"token": "a", "b": "c"}, '),
)


def write(unit: str, size: int) -> str:
    return unit * (size // (len(json.dumps(unit)) - 2))


@pytest.mark.parametrize("unit", ["[", NESTED], ids=lambda unit: repr(unit)[:20])
def test_a_mebibyte_of_anything_goes_through_all_that_reads_it(sandbox, sign_in, alice, anna, unit):
    sound = factories.submit_and_settle(alice, type="max")
    refusal: dict[str, Any] = {"status": 400, "body": {"error": "No", "message": write(unit, LARGEST)}}
    file = {"id": "file", "name": write(unit, LARGEST // 4), "url": f"https://{write(unit, LARGEST // 4)}"}
    workspace = {"id": "space", "status": write(unit, LARGEST // 4), "files": {"object": "list", "data": [file]}}
    made = {"id": "station", "type": "max", "status": write(unit, LARGEST // 4), "workspace": workspace}
    sandbox.script([refusal, {"status": 200, "body": made}, refusal | {"on": "POST /workstations/{id}/vncwss"}])
    refused, odd = [factories.submit_and_settle(alice, type="max") for _ in range(2)]
    assert (refused.status, odd.status) == ("FAILED", "SUCCEEDED")
    with pytest.raises(opening.NotOpened) as caught:
        opening.open_connection(person=alice, workstation=sound.workstation, kind=models.Connection.Kind.DESKTOP)
    assert len(caught.value.said) <= 500

    browser, auditor = sign_in(alice), sign_in(anna)
    attempt = refused.attempts.get().pk
    for path in (f"/requests/{refused.pk}/", f"/workstations/{sound.workstation.uid}/", "/workstations/station/"):
        assert browser.get(path).status_code == 200
    for path in (f"attempt/{attempt}/change", f"request/{refused.pk}/change", "notice", "file"):
        assert auditor.get(f"/admin/portal/{path}/").status_code == 200
    for path in (f"requests/{refused.pk}/evidence.json", "requests/export.csv"):
        assert b"".join(auditor.post(f"/{path}")).strip()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: repr(unit)[:20])
def test_and_through_each_of_its_readers_alone(unit):
    text = write(unit, LARGEST // 4)
    hidden.hide(text=text)
    columns.show_text(text)
    opening._ADDRESS.sub("", text)
    assert not hosts.is_known(address=text, is_url=True)
    assert not hosts.is_known(address=text, is_url=False)
    ui.pretty(text)
    ui.is_web_url(f"https://{text}")
    for document in ({text: text}, {"id": text, "workspace": {"id": text, "files": {"data": [{"id": text}] * 9}}}):
        assert agentstation.Workstation.from_entry(document).raw == document
    assert list(exporting.write_csv(columns=("a",), pages=iter([iter([{"a": text}])])))
