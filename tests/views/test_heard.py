"""What a screen reader says and nobody sees: names with the row they belong to, states, and titles of refused forms."""

import re

import pytest
from django.utils.html import strip_tags

from tests import factories
from tests.admin import rows

pytestmark = pytest.mark.django_db


def hear(html: str) -> str:
    return " ".join(strip_tags(html).replace("&#x27;", "'").split())


def list_links(html: str) -> dict[str, str]:
    """Where each link leads, by what it is called."""
    found = re.findall(r'<a\s[^>]*?href="([^"]*)"[^>]*>(.*?)</a>', html, re.DOTALL)
    return {hear(words): link for link, words in found}


def read_title(html: str) -> str:
    found = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    assert found
    return hear(found[1])


def test_a_step_that_is_still_to_come_says_so(sign_in, alice):
    waiting, ready = factories.submit(alice), rows.create_request(alice, status="SUCCEEDED", ended_at=rows.NOW)
    browser = sign_in(alice)
    assert "Workstation ready (not yet)" in hear(browser.get(f"/requests/{waiting.pk}/").text)
    assert "(not yet)" not in hear(browser.get(f"/requests/{ready.pk}/").text)
