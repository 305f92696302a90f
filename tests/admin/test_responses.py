"""What the provider wrote is shown as it came, and does no harm."""

import json

import pytest
from django.db.models import Model
from django.utils.html import escape

from portal.admin.base import responses
from tests.admin import rows


def test_json_is_laid_out_where_that_changes_nothing_but_white_space():
    shown = str(responses.show_response(b'{"a":[1,{}], "b":"x [y]:  {z}"}'))
    assert "{\n  &quot;a&quot;: [\n    1,\n    {}\n  ],\n  &quot;b&quot;: &quot;x [y]:  {z}&quot;\n}" in shown
    for body in ('{"a":1.10,"b":[]}', '{"a":1,"a":2}', '{"a":1e999}', '{"a":"\\u202e"}'):
        assert f">{escape(body)}<" in str(responses.show_response(body.encode())), body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"plain text, [1,2]", "plain text, [1,2]"),
        (b"\xff\x00caf\xc3\xa9", "\\xff\\x00café"),
        (b"<script>", "&lt;script&gt;"),
        (b"", '<pre class="response" tabindex="0"></pre>'),
        (b"[" * 200_000, "[[[["),
        (b"9" * 5000, "9999"),
        (b'{"a": ' + b"9" * 5000 + b"}", "{&quot;a&quot;: 9"),
        (b"[" * 900 + b",".join([b"1"] * 100_000) + b"]" * 900, "bytes more are not shown"),
        (b'"' + b"x" * 100_000 + b'"', "34,466 bytes more are not shown"),
        (b"x" * (64 * 1024 + 5), "5 bytes more are not shown"),
        ("é".encode() * (64 * 1024 + 5), "10 bytes more are not shown"),
    ],
    ids=[
        "text",
        "bytes",
        "markup",
        "nothing",
        "deep",
        "number",
        "number inside",
        "deep and wide",
        "string",
        "long",
        "long in bytes",
    ],
)
def test_anything_at_all_can_be_shown(body, expected):
    shown = str(responses.show_response(body))

    assert expected in shown
    assert len(shown) < 1_000_000


def test_memory_views_of_a_database_are_bytes_too():
    assert "ok" in str(responses.show_response(memoryview(b"ok")))


def test_no_answer_is_a_dash():
    assert responses.show_response(None) == responses.show_text("") == "–"


@pytest.mark.django_db
def test_the_pages_of_attempt_and_late_response_show_the_response(alice, anna, sign_in):
    attempt = rows.create_attempt(rows.create_request(alice))
    late = rows.create_late_response(attempt)
    browser = sign_in(anna)
    of_attempt = browser.get(f"/admin/portal/attempt/{attempt.pk}/change/").text
    assert "credits are used up" in of_attempt
    assert "{\n  &quot;error&quot;: &quot;Payment required&quot;\n}" in of_attempt
    assert f'href="/admin/portal/lateresponse/{late.pk}/change/"' in of_attempt
    assert "&quot;late&quot;" in browser.get(f"/admin/portal/lateresponse/{late.pk}/change/").text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["request", "attempt", "lateresponse", "workstation", "workspace", "file", "log", "event"]
)
def test_markup_from_outside_is_text(name, alice, anna, sign_in):
    record = _create_nasty(alice)
    browser = sign_in(anna)

    listed = browser.get(f"/admin/portal/{name}/").content.decode()
    shown = browser.get(f"/admin/portal/{name}/{record[name].pk}/change/").content.decode()

    assert rows.NASTY not in listed + shown
    assert "&lt;script&gt;" in listed + shown


def _create_nasty(person) -> dict[str, Model]:
    workspace = rows.create_workspace(person, uid=rows.NASTY, status=rows.NASTY, raw=rows.NASTY)
    portal_request = rows.create_request(person, workspace_uid=rows.NASTY, note=rows.NASTY)
    values = {"error": rows.NASTY, "message": rows.NASTY, "response": rows.NASTY.encode()}
    attempt = rows.create_attempt(portal_request, **values)
    station = {"uid": rows.NASTY, "type": rows.NASTY, "status": rows.NASTY, "raw": rows.NASTY}
    return {
        "request": portal_request,
        "attempt": attempt,
        "lateresponse": rows.create_late_response(attempt, **values),
        "workstation": rows.create_workstation(portal_request, workspace=workspace, **station),
        "workspace": workspace,
        "file": rows.create_file(
            workspace, uid=rows.NASTY, name=rows.NASTY, url=f"https://x/{rows.NASTY}", raw=rows.NASTY
        ),
        "log": rows.create_log(
            workspace, uid=rows.NASTY, type=rows.NASTY, level=rows.NASTY, url=rows.NASTY, raw=rows.NASTY
        ),
        "event": rows.create_event(
            None, actor_name=rows.NASTY, target=rows.NASTY, reason=rows.NASTY, detail={"said": rows.NASTY}
        ),
    }


ADDRESS = "https://files.example/a?signature=s3cret"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["attempt", "lateresponse", "workstation", "workspace", "file", "log"])
def test_addresses_of_files_are_not_shown(name, alice, anna, sign_in):
    raw = json.dumps({"id": "x", "workspace": {"files": {"data": [{"name": "plan.txt", "url": ADDRESS}]}}})
    workspace = rows.create_workspace(alice, raw=raw)
    portal_request = rows.create_request(alice)
    attempt = rows.create_attempt(portal_request, response=raw.encode())
    record = {
        "attempt": attempt,
        "lateresponse": rows.create_late_response(attempt, response=raw.encode()),
        "workspace": workspace,
        "workstation": rows.create_workstation(portal_request, workspace=workspace, raw=raw),
        "file": rows.create_file(workspace, name="plan.txt", url=ADDRESS, raw=raw),
        "log": rows.create_log(workspace, url=ADDRESS, raw=raw),
    }
    browser = sign_in(anna)

    listed = browser.get(f"/admin/portal/{name}/").content.decode()
    shown = browser.get(f"/admin/portal/{name}/{record[name].pk}/change/").content.decode()

    assert "s3cret" not in listed + shown
    assert "plan.txt" in shown
    assert "(address not shown)" in shown


@pytest.mark.django_db
def test_what_is_unknown_here_is_shown_as_it_came(alice, anna, sign_in):
    attempt = rows.create_attempt(rows.create_request(alice), failure="brand-new", http_status=418)
    file = rows.create_file(rows.create_workspace(alice), size=-5, url="", name="")
    browser = sign_in(anna)

    assert "brand-new" in browser.get(f"/admin/portal/attempt/{attempt.pk}/change/").content.decode()
    assert "-5 B" in browser.get(f"/admin/portal/file/{file.pk}/change/").content.decode()
