"""The key's page while an operator has to say what became of the database."""

import pytest

from portal import models
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(settings, sandbox, alice) -> models.Request:
    """A request that waits, in a database that is elsewhere than before."""
    settings.USING_SANDBOX = False
    factories.submit(alice)
    factories.send_once()
    models.Database.objects.update(place="elsewhere")
    portal_request = factories.submit(alice)
    assert factories.claim_next(worker="w") is None
    return portal_request


def test_an_operator_reads_what_changed_and_is_asked_what_happened(waiting, olga, sign_in):
    page = sign_in(olga).get("/key/").text
    assert "It is in another place than before" in page
    assert 'action="/key/database/"' in page
    assert 'action="/key/resume/"' not in page


def test_others_read_it_and_are_not_asked(waiting, alice, sign_in):
    browser = sign_in(alice)
    page = browser.get("/key/").text
    assert "database has changed" in page
    assert 'action="/key/database/"' not in page
    assert browser.post("/key/database/", {"database": "moved"}).status_code == 403
    assert models.Key.objects.get().is_paused


@pytest.mark.parametrize(
    ("response", "words", "status"),
    [
        ("moved", "Requests are being sent from here now", "QUEUED"),
        ("put-back", "lists for 1 request before", "UNKNOWN"),
    ],
)
def test_the_response_holds_at_once(waiting, olga, sign_in, response, words, status):
    page = sign_in(olga).post("/key/database/", {"database": response}, follow=True).text
    assert words in page
    assert 'action="/key/database/"' not in page
    assert models.Request.objects.get(pk=waiting.pk).status == status


def test_no_answer_and_a_second_response_change_nothing(waiting, olga, sign_in):
    browser = sign_in(olga)
    assert "Say whether" in browser.post("/key/database/", {"database": "perhaps"}, follow=True).text
    assert models.Key.objects.get().is_paused
    browser.post("/key/database/", {"database": "moved"})
    again = browser.post("/key/database/", {"database": "put-back"}, follow=True).text
    assert "Somebody has already" in again
    assert models.Request.objects.get(pk=waiting.pk).status == "QUEUED"
