"""The page of a workstation that the portal releases."""

import pytest

from tests import factories
from tests.browser import read
from tests.lives.test_ends import read_left

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_the_portal_releases_can_be_kept_on_its_page_until_that_is_sent(time, sandbox, sign_in, alice):
    workstation = factories.create_workstation(alice, lifetime="10m")
    browser, page = sign_in(alice), f"/workstations/{workstation.uid}/"
    time.pass_by(minutes=12)
    shown = read(browser.get(page))
    assert "its end was reached" in shown
    assert "Keep 2 h longer" in shown
    browser.post(f"{page}end/", {"longer": "2h"})
    assert read_left(workstation) == 120
    time.pass_by(minutes=122)
    factories.claim_release()
    shown = read(browser.get(page))
    assert "its end was reached" in shown
    assert "Keep 2 h longer" not in shown
