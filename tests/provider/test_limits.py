"""Rate limits of the account."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

LIST = "GET /workstations"


def statuses(*answers: requests.Response) -> list[int]:
    return [answer.status_code for answer in answers]


def limit(sandbox, **wish) -> None:
    sandbox.set_faults({"rate_limits": [{"calls": 2, **wish}]})


def test_so_many_calls_of_any_kind_in_a_minute(alice, sandbox, clock):
    limit(sandbox)
    assert statuses(alice.ask(), alice.call("GET", "/workstations")) == [200, 200]
    clock.move(59)
    refused = alice.ask()

    assert refused.status_code == 429
    assert "Retry-After" not in refused.headers
    assert alice.call("GET", "/workstations/history").status_code == 429
    clock.move(1)
    # Refused calls do not count.
    assert statuses(alice.ask(), alice.call("GET", "/workstations"), alice.ask()) == [200, 200, 429]
    record = sandbox.record()
    assert len(record["workstations"]) == 2
    assert [post["answered"] for post in record["posts"]] == [200, 429, 200, 429]


def test_the_window_slides(alice, sandbox, clock):
    limit(sandbox, seconds=10)
    alice.ask()
    clock.move(6)
    alice.ask()
    clock.move(4)

    assert statuses(alice.ask(), alice.ask()) == [200, 429]


def test_each_kind_may_have_a_limit_of_its_own(alice, sandbox):
    limit(sandbox, on=LIST)
    lists = [alice.call("GET", "/workstations") for _ in range(3)]

    assert statuses(*lists, alice.ask(), alice.call("GET", "/workstations/history")) == [200, 200, 429, 200, 200]


def test_a_call_counts_in_every_limit_that_it_passed_and_in_none_that_refused_it(alice, sandbox, clock):
    sandbox.set_faults({"rate_limits": [{"on": LIST, "calls": 1, "seconds": 5}, {"calls": 3, "seconds": 60}]})
    first = [alice.call("GET", "/workstations") for _ in range(4)]
    clock.move(5)

    assert statuses(*first, alice.ask(), alice.ask(), alice.ask()) == [200, 429, 429, 429, 200, 200, 429]


@pytest.mark.parametrize("clock_off", [0, 3600, -3600])
def test_retry_after_in_seconds_or_as_a_date_by_the_providers_own_clock(alice, sandbox, clock, clock_off):
    rate = {"calls": 1, "seconds": 30}
    sandbox.set_faults({"clock_off": clock_off, "rate_limits": [{**rate, "retry_after": "date"}]})
    alice.ask()
    clock.move(10)
    refused = alice.ask()
    told = parsedate_to_datetime(refused.headers["Retry-After"])

    assert told == datetime.fromtimestamp(clock.now + clock_off + 20, UTC)
    assert (told - parsedate_to_datetime(refused.headers["Date"])).total_seconds() == 20
    sandbox.set_faults({"clock_off": clock_off, "rate_limits": [{**rate, "retry_after": "seconds"}]})
    alice.ask()
    clock.move(9.5)
    assert alice.ask().headers["Retry-After"] == "21"


def test_no_call_at_all_may_be_let_through(alice, sandbox):
    sandbox.set_faults({"rate_limits": [{"calls": 0, "seconds": 7, "retry_after": "seconds"}]})

    assert alice.ask().headers["Retry-After"] == "7"


def test_a_wrong_key_exceeds_no_limit_and_control_has_none(alice, sandbox):
    sandbox.set_faults({"rate_limits": [{"calls": 1}]})
    wrong = {"Authorization": "Bearer wrong"}

    answers = [alice.call("GET", "/workstations", headers=wrong) for _ in range(2)]
    assert statuses(*answers, alice.ask(), alice.ask()) == [401, 401, 200, 429]
    assert alice.call("GET", "/workstations", headers=wrong).status_code == 401
    assert alice.control("GET", "record").status_code == 200


def test_a_limit_comes_before_reserved_names_and_after_the_script(alice, sandbox):
    sandbox.set_faults({"rate_limits": [{"calls": 0}]})
    sandbox.script({"status": 418})

    assert statuses(alice.ask(), alice.ask(workspace="fail-422")) == [418, 429]


@pytest.mark.parametrize(
    "rate",
    [
        5,
        {},
        {"calls": -1},
        {"calls": True},
        {"calls": 1, "on": "PATCH"},
        {"calls": 1, "seconds": 0},
        {"calls": 1, "retry_after": "soon"},
        {"calls": 1, "burst": 2},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(alice, rate):
    assert alice.control("POST", "faults", json={"rate_limits": [rate]}).status_code == 400
    assert alice.control("POST", "faults", json={"rate_limits": rate}).status_code == 400
    assert alice.ask().status_code == 200
