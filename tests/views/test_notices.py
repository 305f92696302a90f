"""The page of changes of the API: who sees it, and how operators say that they have seen what is new."""

import pytest

from portal import models
from portal.services.reconciliation import operator_actions
from portal.views import notices

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(db) -> list[models.Notice]:
    kinds = ("workstation has the type <b>quantum", "error has a field hint", "release has a field color")
    return [
        models.Notice.objects.create(kind=kind, example=f'{{"kind": {number}}}', numbers=[number])
        for number, kind in enumerate(kinds, start=41)
    ]


def mark(browser, *numbers: object):
    return browser.post("/api-changes/", {"notice": [str(number) for number in numbers]}, follow=True)


def test_whoever_sees_everything_sees_them_and_only_operators_mark_them(sign_in, found, alice, anna, olga):
    assert sign_in(alice).get("/api-changes/").status_code == 403
    page = sign_in(anna).get("/api-changes/").text
    assert "API changes (3)" in page
    assert "workstation has the type &lt;b&gt;quantum" in page
    assert "{&quot;kind&quot;: 41}" in page
    assert 'href="/requests/41/"' in page
    assert "checkbox" not in page
    assert "Mark as reviewed" not in page
    assert mark(sign_in(anna), found[0].pk).status_code == 403
    assert sign_in(olga).get("/api-changes/").text.count('type="checkbox"') == 3


def test_all_that_are_ticked_are_marked_each_with_an_event(sign_in, found, olga):
    response = mark(sign_in(olga), found[0].pk, found[2].pk)
    assert "2 API changes are marked as reviewed" in response.text
    assert "API changes (1)" in response.text
    assert [notice.kind for notice in models.Notice.objects.filter(acknowledged_at=None)] == [found[1].kind]
    assert set(models.Notice.objects.exclude(acknowledged_at=None).values_list("acknowledged_by", flat=True)) == {
        olga.pk
    }
    events = models.Event.objects.filter(verb="acknowledge").order_by("id")
    assert [(event.target, event.actor_name) for event in events] == [
        (f"notice {found[0].kind}", "olga"),
        (f"notice {found[2].kind}", "olga"),
    ]
    assert "1 API change is marked" in mark(sign_in(olga), found[1].pk).text
    assert "There are no API changes to review." in sign_in(olga).get("/api-changes/").text


def test_what_another_was_first_to_mark_is_not_marked_again(sign_in, found, olga, root):
    mark(sign_in(root), found[0].pk)
    assert "1 API change is marked" in mark(sign_in(olga), found[0].pk, found[1].pk).text
    assert "Somebody has already marked this" in mark(sign_in(olga), found[0].pk, 10**9).text
    names = models.Event.objects.filter(verb="acknowledge").order_by("id").values_list("actor_name", flat=True)
    assert list(names) == ["root", "olga"]


@pytest.mark.parametrize("numbers", [(), ("x",), ("1" * 19,), ("-1",), ("²",)])
def test_without_anything_that_can_be_marked_it_is_asked_for(sign_in, found, olga, numbers):
    response = mark(sign_in(olga), *numbers)
    assert (response.status_code, response.redirect_chain) == (200, [])
    assert 'href="#id_notice_0"' in response.text
    assert response.text.count('id="id_notice_0"') == 1
    assert "Tick what you have reviewed." in response.text
    assert not models.Event.objects.filter(verb="acknowledge").exists()


def test_an_error_keeps_what_was_ticked(sign_in, found, olga):
    assert mark(sign_in(olga), found[1].pk, "x").text.count("checked") == 1


def test_needs_review_leads_there_while_there_are_any_and_does_not_count_them(sign_in, found, anna, olga):
    link = 'href="/api-changes/"'
    page = sign_in(anna).get("/unknown/").text
    assert link in page
    assert "3 API changes" in page
    assert operator_actions.count_open_decisions() == 0
    mark(sign_in(olga), *(notice.pk for notice in found))
    assert link not in sign_in(anna).get("/unknown/").text


def test_what_is_more_than_a_page_has_comes_next(sign_in, found, olga, monkeypatch):
    monkeypatch.setattr(notices, "MOST", 2)
    page = sign_in(olga).get("/api-changes/").text
    assert "API changes (2+)" in page
    assert found[2].kind not in page
