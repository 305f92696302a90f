"""Which types may be asked for: what the provider's list says, and what is offered without one."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from portal import agentstation, models
from portal.models.clock import Now
from portal.services.audit import verify
from portal.services.key import accounts
from portal.services.mirrors import contract_drift, types
from portal.services.runtime import clients, leases
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "GET /workstations/types"
NINE = list(models.Request.Type.values)


@pytest.fixture
def read(sandbox, lease):
    def read(*entries: object, **response: object) -> list[str]:
        if entries:
            response = {"status": 200, "body": {"object": "list", "data": list(entries)}}
        if response:
            sandbox.script({"on": LIST, **response})
        lease.run(types.read_types, client=clients.make_client())
        return list_offered()

    accounts.get_current_account()
    return read


def list_offered() -> list[str]:
    return [one.name for one in types.list_offered_types()]


def list_changes() -> list[tuple[list[str], list[str]]]:
    details = factories.list_events("change-types").order_by("id").values_list("detail", flat=True)
    return [(detail["before"]["types"], detail["after"]["types"]) for detail in details]


def note_release(type: str) -> None:
    told = agentstation.Released.from_dict({"type": type, "released": True})
    contract_drift.note_deviations(deviations=told.deviations)


def age_list(**age: float) -> None:
    models.WorkstationType.objects.update(listed_at=Now() - timedelta(**age))


def test_before_any_list_was_read_and_where_there_is_none_the_nine_are_offered(sandbox, read):
    assert list_offered() == NINE
    assert models.WorkstationType.objects.count() == 0
    sandbox.change_types("none")
    assert read() == NINE
    assert list_changes() == []


def test_the_list_is_offered_with_what_it_says_and_when(sandbox, read):
    sandbox.change_types("default")
    assert read() == ["default"]

    stored = models.WorkstationType.objects.get()
    assert stored.description == "A desktop with a browser and a terminal."
    assert stored.software == ["ssh", "terminal", "vnc", "desktop", "chromium"]
    assert "keyboard" in stored.hardware
    assert "speech-to-text" in stored.ai_models
    assert stored.first_listed_at <= stored.listed_at
    assert list_changes() == [([], ["default"])]


def test_a_type_that_vanished_is_known_and_not_offered_until_it_is_back(sandbox, read):
    read({"id": "a", "description": "old"}, {"id": "b"})
    age_list(minutes=5)
    assert read({"id": "b"}) == ["b"]
    assert types.list_known_types() == [*NINE, "a", "b"]
    gone = models.WorkstationType.objects.get(name="a")
    assert gone.withdrawn_at is not None
    assert gone.listed_at is not None
    assert gone.withdrawn_at > gone.listed_at

    assert read({"id": "b"}, {"id": "a", "description": "new"}) == ["a", "b"]
    assert models.WorkstationType.objects.get(name="a").description == "new"
    assert list_changes() == [([], ["a", "b"]), (["a", "b"], ["b"]), (["b"], ["a", "b"])]


def test_the_same_list_again_is_no_event_but_is_remembered(read):
    read()
    age_list(days=1)
    before = models.Event.objects.count()
    assert read() == NINE
    assert models.Event.objects.count() == before
    assert not models.WorkstationType.objects.filter(listed_at__lt=Now() - timedelta(minutes=1)).exists()


@pytest.mark.parametrize("status", [404, 422, 501])
def test_a_provider_that_has_no_list_any_more_is_believed_after_an_hour(sandbox, read, status):
    sandbox.change_types("default")
    read()
    assert read(status=status, body={"error": "x", "message": "y"}) == ["default"]

    age_list(hours=2)
    assert read(status=status, body={"error": "x", "message": "y"}) == NINE
    assert list_changes() == [([], ["default"]), (["default"], [])]
    assert not models.Notice.objects.exists()


@pytest.mark.parametrize(
    "response",
    [
        {"status": 401},
        {"status": 429},
        {"status": 500},
        {"status": 502},
        {"status": 200, "body": {"data": []}},
        {"status": 200, "body": {"data": [{"name": "no id"}]}},
        {"status": 200, "body": {"data": "all"}},
        {"name": "reset"},
        {"name": "truncate"},
    ],
    ids=str,
)
def test_what_is_no_list_leaves_the_offer_as_it_is(sandbox, read, response):
    sandbox.change_types("default")
    read()
    age_list(days=1)
    assert read(**response) == ["default"]
    assert list_changes() == [([], ["default"])]


def test_odd_types_are_kept_as_they_come_and_unusable_ones_left_out(read):
    odd = ["Büro – 事務所 🖥️", "MAX", "max", "x" * 200, "'; DROP TABLE portal_request; --", "=1+1", " a "]
    unusable = ["", "x" * 201, "a\x00b", "\ud800", "two\nlines", "right\u202eleft"]
    extra = {"description": "a\x00\ud800", "software": ["b\x00", 3], "price": 1e999}
    assert read(*({"id": name} | extra for name in odd + unusable), None, 7, "text") == odd

    stored = models.WorkstationType.objects.get(name="MAX")
    assert (stored.description, stored.software) == ("a\\x00\\ud800", ["b\\x00"])
    assert models.Notice.objects.filter(kind="type has a field price").exists()


def test_of_a_type_that_is_listed_twice_the_first_counts(read):
    assert read({"id": "a", "description": "first"}, {"id": "b"}, {"id": "a", "description": "second"}) == ["a", "b"]
    assert models.WorkstationType.objects.get(name="a").description == "first"


def test_another_account_s_list_is_neither_read_nor_offered(sandbox, read, settings, alice):
    sandbox.change_types("default")
    read()
    with transaction.atomic():
        models.Account.objects.update(retired_at=Now())
    assert list_offered() == NINE
    assert "default" in types.list_known_types()


def test_a_key_that_nobody_confirmed_reads_no_list(sandbox, read, settings, alice):
    factories.submit_and_settle(alice)
    sandbox.change_types("default")
    settings.AGENTSTATION_API_KEY = "another-key"
    assert read() == NINE


def test_who_lost_the_lease_changes_nothing(sandbox, read, lease):
    models.Lease.objects.update(token=99)
    with pytest.raises(leases.LeaseLost):
        read()
    assert models.WorkstationType.objects.count() == 0


def test_the_record_tells_which_types_are_offered_and_notices_a_change(read):
    read({"id": "a"}, {"id": "b"})
    read({"id": "a"})
    assert not list(verify.verify_log(rows=True).findings)

    models.WorkstationType.objects.filter(name="b").update(withdrawn_at=None)
    assert "workstation type" in str(verify.verify_log(rows=True).findings)


def test_a_type_of_the_list_is_no_difference_from_the_contract(sandbox, read, alice):
    sandbox.change_types("default")
    read()
    station = factories.create_workstation(alice, type="default")
    assert station.type == "default"
    with transaction.atomic():
        note_release("default")
        assert not models.Notice.objects.exists()
        note_release("quantum")
    assert models.Notice.objects.get().kind == "release has the type quantum"


def test_the_database_keeps_a_name_once_for_an_account_and_no_empty_one(sandbox):
    account = accounts.get_current_account()
    models.WorkstationType.objects.create(account=account, name="a")
    for name in ("a", ""):
        with pytest.raises(IntegrityError), transaction.atomic():
            models.WorkstationType.objects.create(account=account, name=name)
