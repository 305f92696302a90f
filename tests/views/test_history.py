"""The history: searched, filtered, turned round, a page at a time; what cannot be read is said."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from portal import models
from portal.services.people import people
from portal.services.search import paging
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def browse(sign_in):
    def browse(user: models.User, query: str = "") -> list[int]:
        """The numbers on the page, in their order."""
        response = sign_in(user).get(f"/requests/?{query}")
        assert response.status_code == 200
        return [row.pk for row in response.context["page"].requests]

    return browse


def test_words_numbers_and_filters_find_together(browse, alice, bob, anna):
    space = rows.create_workspace(alice, uid="kXv09aaQ")
    demo = rows.create_request(alice, note="for the Demo", status="FAILED", failure="402")
    rows.create_attempt(demo)
    used = rows.create_request(bob, note="other demo", type="voip")
    rows.create_workstation(used, uid="WsQ81", workspace=space)

    for query, expected in [
        *(("q=DEMO+credits", [demo]), ("q=%22credits+are%22", [demo])),
        *(("q=wsq81", [used]), ("q=kxv09", [used]), ("q=Failed+alice", [demo])),
        *((f"q=R-{demo.pk}", [demo]), (f"q=r{demo.pk}", [demo]), (f"q={used.pk}&status=FAILED", [])),
        *(("q=demo&type=voip", [used]), ("q=demo&person=alice&failure=402", [demo])),
        *(("q=demo+402&person=ALI", [demo]), ("q=%22402%22", []), ("q=demo&sort=oldest", [demo, used])),
    ]:
        assert browse(anna, query) == [row.pk for row in expected], query
    assert browse(alice, "q=demo") == [demo.pk]
    assert browse(alice, f"q={used.pk}") == []


@pytest.mark.parametrize("code", ["422", "402"])
def test_a_number_that_is_a_failure_s_code_finds_what_failed_so_and_names_the_request(
    browse, sign_in, alice, bob, anna, code
):
    numbered = rows.create_request(alice, pk=int(code))
    failed = rows.create_request(bob, status="FAILED", failure=code)
    assert browse(anna, f"q={code}") == [failed.pk]
    assert browse(anna, f"q=R-{code}") == [numbered.pk]
    link = f'<a href="?q=R-{code}">R-{code}</a>'
    assert link in sign_in(alice).get(f"/requests/?q={code}").text
    assert link not in sign_in(alice).get(f"/requests/?q=failed+{code}").text
    assert browse(anna, f"q={failed.pk}") == [failed.pk]


def test_types_people_and_days_are_words_of_the_search(browse, alice, bob, anna):
    now = timezone.now()
    python = rows.create_request(alice, type="python", note="of go and python", created_at=now)
    voip = rows.create_request(bob, type="voip", created_at=now - timedelta(days=3))
    old = rows.create_request(bob, type="python", note="bob", created_at=now - timedelta(days=370))
    day, year_ago = timezone.localtime(now - timedelta(days=3)), timezone.localtime(now - timedelta(days=370))
    for query, expected in {
        "Python": [old, python],
        '"python"': [python],
        "VoIP": [voip],
        "bob": [old, voip],
        '"of go"': [python],
        f"{day:%A}": [voip],
        f"{now:%A}".lower(): [python],
        f"{day:%Y-%m-%d}": [voip],
        f"{day.day} {day:%B} voip": [voip],
        f"bob {day.day} {day:%b}": [voip],
        f"python {year_ago:%d %B %Y} bob": [old],
        "9999-12-31": [],
        "today": [python],
        "Yesterday": [],
        '"today"': [],
    }.items():
        assert sorted(browse(anna, urlencode({"q": query}))) == sorted(row.pk for row in expected), query
    assert browse(alice, "q=bob") == [], "to who sees only their own a name is text"


def test_a_day_that_is_named_is_one_of_the_reader_s_zone(browse, bob):
    people.set_time_zone(person=bob, time_zone="Pacific/Kiritimati")
    found = rows.create_request(bob, created_at=datetime(2026, 11, 23, 11, tzinfo=UTC))
    rows.create_request(bob, created_at=datetime(2026, 11, 24, 11, tzinfo=UTC))
    assert browse(bob, "q=2026-11-24") == browse(bob, "q=24+Nov+2026") == [found.pk]


def test_a_name_that_nobody_has_leads_to_those_that_are_like_it(browse, sign_in, alice, anna):
    assert "Nobody has this name. Did you mean alice" in sign_in(anna).get("/requests/?person=alise").text
    assert "Nobody has this name.<" in sign_in(anna).get("/requests/?person=zzzzzz").text


def test_whether_it_was_ever_unknown_and_how_long_it_took(browse, alice):
    begun_at = rows.NOW - timedelta(minutes=10)
    settled = rows.create_request(alice, created_at=begun_at, ended_at=rows.NOW, was_unknown=True)
    quick = rows.create_request(alice, created_at=rows.NOW - timedelta(seconds=90), ended_at=rows.NOW)
    rows.create_request(alice, status="QUEUED")

    assert browse(alice, "unknown=ever") == [settled.pk]
    both = [quick, settled]
    wanted = {"89": both, "90": [settled], "1,4+MIN": both, "9m": [settled], "0.15h": [settled], "1d": []}
    for longer, expected in wanted.items():
        assert browse(alice, f"longer={longer}") == [row.pk for row in expected], longer
    assert browse(alice, "longer=9m&unknown=ever") == [settled.pk]


@pytest.mark.parametrize("sort", ["", "oldest"])
def test_pages_lead_on_and_back_in_both_orders(sign_in, alice, sort):
    numbers = [rows.create_request(alice, type="max", status="CANCELLED").pk for _ in range(paging.PAGE_SIZE * 2 + 3)]
    ordered = numbers if sort else numbers[::-1]
    browser = sign_in(alice)
    onwards, backwards = ("newer", "older") if sort else ("older", "newer")

    pages, link = [], f"?sort={sort}&status=CANCELLED&type=max"
    while link:
        page = browser.get(f"/requests/{link}").context["page"]
        pages.append(page)
        link = getattr(page, onwards)
    assert [row.pk for page in pages for row in page.requests] == ordered
    assert getattr(pages[0], backwards) == ""
    middle = browser.get(f"/requests/{getattr(pages[2], backwards)}").context["page"]
    assert [row.pk for row in middle.requests] == [row.pk for row in pages[1].requests]
    first = browser.get(f"/requests/{getattr(middle, backwards)}").context["page"]
    assert [row.pk for row in first.requests] == [row.pk for row in pages[0].requests]
    assert getattr(first, backwards) == ""


# --- What cannot be read ---


def test_an_odd_search_is_refused_or_finds_all_or_nothing(sign_in, browse, alice):
    number = rows.create_request(alice, note="abc xyz").pk
    browser = sign_in(alice)
    for text in (
        *("%25%25%25", "___", "'", "%22", "'''", "%5C", "%25", "ab", "abc+ab", "a" * 5000, "abc+" * 40),
        *("%F0%9F%98%80", "%22++%22"),  # no index knows these
    ):
        page = browser.get(f"/requests/?q={text}").context["page"]
        assert (page.requests, "q" in page.form.errors) == ([], True), text
    for text in ("''", "%22%22", "+", "%E2%80%8F"):
        assert browse(alice, f"q={text}") == [number], text
    for text in ("a'b'c", "%25abc", "abc_", "%5Cabc", "%22a+b%22", "%F0%9F%98%80abc", "%27+OR+1=1+--abc"):
        assert browse(alice, f"q={text}") == [], text


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("q=a%00bc", "q", "a character that can&#x27;t be stored"),
        (f"q={'x' * 501}", "q", "at most 500 characters"),
        ("q=to", "q", "too short to look for"),
        *((f"{field}=x", field, "not in the list") for field in ("status", "type", "unknown", "sort", "zone")),
        ("failure=%00", "failure", "not in the list"),
        *((f"longer={odd}", "longer", "a length of time") for odd in ("soon", "-1", "1e9")),
        ("longer=999999999d", "longer", "longer than a year"),
        ("since=yesterday", "since", "This is not a date."),
        ("until=2026-02-31", "until", "This is not a date."),
        ("since=0001-01-01", "since", "from 1970 to 2199"),
        ("until=9999-12-31", "until", "from 1970 to 2199"),
        ("since=2026-02-02&until=2026-02-01", "until", "before the beginning"),
        *((f"before={odd}", "before", "") for odd in ("x", "99999999999999999999", "%00")),
        ("after=-1", "after", ""),
    ],
)
def test_what_cannot_be_read_is_said_and_lists_nothing(sign_in, alice, query, field, words):
    factories.submit(alice)
    response = sign_in(alice).get(f"/requests/?{query}")
    page = response.context["page"]
    assert response.status_code == 200
    assert words in str(page.form.errors[field])
    assert page.requests == []
    said = "This page or order doesn't exist" if page.form.fields[field].widget.is_hidden else "can't be used"
    assert said in response.text


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_the_first_and_the_last_day_that_there_are(browse, alice, zone):
    people.set_time_zone(person=alice, time_zone=zone)
    portal_request = factories.submit(alice)
    for query in ("since=1970-01-01", "until=2199-12-31", "since=1970-01-01&until=2199-12-31"):
        assert browse(alice, query) == [portal_request.pk]
