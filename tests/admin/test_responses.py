"""What the provider wrote is shown as it came, and does no harm."""

import json

import pytest
from django.db.models import Model
from django.utils.html import escape

from portal.admin.base import columns
from tests.admin import rows


def test_json_is_laid_out_where_that_changes_nothing_but_white_space():
    shown = str(columns.show_response(b'{"a":[1,{}], "b":"x [y]:  {z}"}'))
    assert "{\n  &quot;a&quot;: [\n    1,\n    {}\n  ],\n  &quot;b&quot;: &quot;x [y]:  {z}&quot;\n}" in shown
    for body in ('{"a":1.10,"b":[]}', '{"a":1,"a":2}', '{"a":1e999}', '{"a":"\\u202e"}'):
        assert f">{escape(body)}<" in str(columns.show_response(body.encode())), body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"plain text, [1,2]", "plain text, [1,2]"),
        (b"\xff\x00caf\xc3\xa9", "\\xff\\x00café"),
        (b"<script>", "&lt;script&gt;"),
        (b"", "–"),
        (memoryview(b"as some databases have it"), "as some databases have it"),
        *((b"[" * 200_000, "[[[["), (b"9" * 5000, "9999")),
        (b'{"a": ' + b"9" * 5000 + b"}", "{&quot;a&quot;: 9"),
        (b"[" * 900 + b",".join([b"1"] * 100_000) + b"]" * 900, "bytes more are not shown"),
        (b'"' + b"x" * 100_000 + b'"', "34,466 bytes more are not shown"),
        (b"x" * (64 * 1024 + 5), "5 bytes more are not shown"),
        ("é".encode() * (64 * 1024 + 5), "10 bytes more are not shown"),
        (None, "–"),
    ],
    ids=range(13),
)
def test_anything_at_all_can_be_shown(body, expected):
    shown = str(columns.show_response(body))
    assert expected in shown
    assert len(shown) < 1_000_000


def test_the_pages_of_attempt_and_late_response_show_the_response(alice, browser):
    attempt = rows.create_attempt(rows.create_request(alice))
    late = rows.create_late_response(attempt)
    of_attempt = browser.get(f"/admin/portal/attempt/{attempt.pk}/change/").text
    assert "credits are used up" in of_attempt
    assert "{\n  &quot;error&quot;: &quot;Payment required&quot;\n}" in of_attempt
    assert f'href="/admin/portal/lateresponse/{late.pk}/change/"' in of_attempt
    assert "&quot;late&quot;" in browser.get(f"/admin/portal/lateresponse/{late.pk}/change/").text


def read_pages(browser, name: str, row: Model) -> str:
    """The list and the row's own page."""
    return browser.get(f"/admin/portal/{name}/").text + browser.get(f"/admin/portal/{name}/{row.pk}/change/").text


ADDRESS = "https://files.example/a?signature=s3cret"


def test_markup_from_outside_is_text_and_addresses_of_files_are_not_shown(alice, browser):
    nasty = rows.NASTY
    raw = json.dumps({"id": nasty, "workspace": {"files": {"data": [{"name": "plan.txt", "url": ADDRESS}]}}})
    workspace = rows.create_workspace(alice, uid=nasty, status=nasty, raw=raw)
    portal_request = rows.create_request(alice, workspace_uid=nasty, note=nasty)
    values = {"error": nasty, "message": nasty, "response": raw.encode()}
    attempt = rows.create_attempt(portal_request, failure="brand-new", http_status=418, **values)
    own = {"uid": nasty, "type": nasty, "raw": raw}
    record: dict[str, Model] = {
        "request": portal_request,
        "attempt": attempt,
        "lateresponse": rows.create_late_response(attempt, **values),
        "workstation": rows.create_workstation(portal_request, workspace=workspace, status=nasty, **own),
        "workspace": workspace,
        "file": rows.create_file(workspace, uid=nasty, name=nasty, url=ADDRESS, raw=raw, size=-5),
        "log": rows.create_log(workspace, level=nasty, url=ADDRESS, **own),
        "event": rows.create_event(None, actor_name=nasty, target=nasty, reason=nasty, detail={"said": nasty}),
    }
    shown = {name: read_pages(browser, name, row) for name, row in record.items()}
    for name, pages in shown.items():
        assert not [words for words in (nasty, "s3cret") if words in pages], name
        assert "&lt;script&gt;" in pages, name
        assert name in ("request", "event") or ("plan.txt" in pages and "(address not shown)" in pages), name
    assert "brand-new" in shown["attempt"]
    assert "-5 B" in shown["file"]
