"""The overview on top of home: for whoever sees everything, with the end of a pause for operators."""

import re

import pytest
from django.utils import timezone

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts
from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


def read_home(browser) -> str:
    return browser.get("/").content.decode()


def test_a_member_has_none(sign_in, alice):
    assert 'id="overview"' not in read_home(sign_in(alice))


def test_an_operator_sees_what_goes_on_and_where_it_is_listed(sign_in, alice, olga):
    waiting = factories.submit(alice)
    now = timezone.now()
    rows.create_request(alice, account=waiting.account, status="FAILED", failure="422", created_at=now, ended_at=now)

    page = read_home(sign_in(olga))

    assert '<a href="/requests/?status=QUEUED">1</a>' in page
    assert '<a href="/requests/?status=SENDING">0</a>' in page
    figures = dict(re.findall(r"<dt>(.*?)</dt>\s*<dd>\s*(\d+)\s*</dd>", page))
    assert figures["Requests in 24 hours"] == "2"
    assert '<a href="/requests/?failure=422">422</a>' in page
    assert 'href="/requests/?status=FAILED"' in page
    assert re.search(rf'href="/requests/{waiting.pk}/"\s*>{waiting.label}</a> <bdi>alice</bdi>', page)


@pytest.mark.parametrize(("cause", "can_resume"), [("402", True), ("database-moved", False)])
def test_an_operator_ends_a_pause_from_there_unless_it_is_a_question(sign_in, anna, olga, cause, can_resume):
    accounts.get_current_account()
    models.Key.objects.update(state="PAUSED", cause=cause, paused_at=Now(), operator_only=True)

    assert ('action="/key/resume/"' in read_home(sign_in(olga))) is can_resume
    assert 'action="/key/resume/"' not in read_home(sign_in(anna))


def test_an_auditor_sees_how_far_the_log_is_sealed(sign_in, anna):
    assert "Not sealed yet" in read_home(sign_in(anna))
