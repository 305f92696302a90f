"""What is read from the portal's database for the books."""

from tests.admin import rows
from tests.chaos import clocks, inside

UNHEARD = {"outcome": "UNKNOWN", "failure": "no-answer", "http_status": None, "response": None}


def test_an_attempt_whose_worker_said_late_that_it_sent_nothing_was_not_sent(alice, tmp_path):
    portal_request = rows.create_request(alice)
    rows.create_late_response(
        rows.create_attempt(portal_request, **UNHEARD), outcome="NOT_SENT", http_status=None, response=None
    )
    rows.create_attempt(portal_request, **UNHEARD)
    first, second = inside.read_book(clock=clocks.Clock(folder=tmp_path))["attempts"]
    assert (first.was_sent, second.was_sent) == (False, True)
