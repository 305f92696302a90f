"""Lists as files: what is searched and filtered, in full."""

import json

import pytest

from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def download(browser):
    def download(name: str, query: str = "") -> list[int]:
        """The ids of the file's rows."""
        response = browser.post(f"/admin/portal/{name}/export.jsonl?{query}")
        assert response.status_code == 200
        lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
        return [line.get("number") or line["id"] for line in lines]

    return download


def test_a_list_is_downloaded_as_it_is_searched_and_filtered_and_in_full(alice, bob, download, monkeypatch):
    monkeypatch.setattr("portal.services.search.exporting.PAGES", (1, 2))
    mine = [rows.create_request(alice, note="demo", status="CANCELLED").pk for _ in range(5)]
    theirs = [rows.create_request(bob, note="demo").pk for _ in range(4)]
    events = [rows.create_event(alice, verb="adopt", reason=f"demo {number}").pk for number in range(5)]

    assert download("request") == [*theirs[::-1], *mine[::-1]]
    assert download("request", "o=0&q=demo") == [*mine, *theirs]
    assert download("request", "status__exact=CANCELLED&type=python") == mine[::-1]
    assert download("request", f"q={mine[2]}") == [mine[2]]
    assert download("request", f"q={mine[2]}&status__exact=CANCELLED&type=python") == [mine[2]]
    assert download("request", "q=ab") == []  # too short to look for, which the page of the list says
    assert download("request", f"q=demo&requester={bob.pk}&o=0") == theirs
    assert download("event", "q=demo") == events[::-1]
    assert download("event", "verb=adopt&o=0") == download("event", "verb=adopt&person=ali&o=0") == events
    assert download("event", "since=Tuesday") == []


def test_a_download_from_the_admin_is_recorded(alice, download, browser):
    rows.create_request(alice)
    download("request", "status__exact=SUCCEEDED")
    event = factories.find_event("export")
    assert (event.actor_name, event.target) == ("anna", "requests")
    assert event.detail == {"format": "jsonl", "filters": {"status__exact": "SUCCEEDED"}}
    response = browser.post("/admin/portal/event/export.csv?verb=export")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    written = b"".join(response.streaming_content).decode()
    assert written.startswith("\ufeffid,at,actor,address,http_request,verb,target,request,")
