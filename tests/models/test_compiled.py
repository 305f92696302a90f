"""Queries whose SQL is written once do what Django's do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models import BigIntegerField, CharField, DateTimeField, Exists, OuterRef, QuerySet, UUIDField
from django.db.models.sql.compiler import SQLCompiler

from portal import models
from portal.models.clock import Now
from portal.models.compiled import compiled
from tests import factories, queries

pytestmark = pytest.mark.django_db(transaction=True)


@compiled(person=BigIntegerField(), since=DateTimeField(), submission=UUIDField())
def find_requests(*, person: int, since: datetime, submission: UUID) -> QuerySet[models.Request]:
    others = models.Request.objects.filter(requester=person, created_at__lte=Now()).exclude(pk=OuterRef("pk"))
    rows = models.Request.objects.filter(created_at__gte=since, submission=submission)
    rows = rows.annotate(has_more=Exists(others))  # type: ignore[no-redef]
    return rows.filter(requester=person).select_related("requester")


@compiled()
def list_names() -> QuerySet[models.User, str]:
    return models.User.objects.order_by("username").values_list("username", flat=True)


@compiled(after=CharField())
def list_first(*, after: str, most: int) -> QuerySet[models.User]:
    return models.User.objects.filter(username__gt=after).order_by("username")[:most]


@compiled(person=BigIntegerField())
def lock_requests(*, person: int) -> QuerySet[models.Request]:
    return models.Request.objects.filter(requester=person).select_for_update()


def test_each_run_has_its_own_values(alice, bob):
    hers, his = factories.submit(alice), factories.submit(bob)
    since = hers.created_at

    [found] = find_requests(person=alice.pk, since=since, submission=hers.submission)
    assert (found, found.requester.username, found.has_more) == (hers, "alice", False)

    factories.submit(bob)
    [found] = find_requests(person=bob.pk, since=since, submission=his.submission)
    assert (found, found.requester.username, found.has_more) == (his, "bob", True)
    assert find_requests(person=alice.pk, since=since, submission=uuid4()) == []
    assert find_requests(person=bob.pk, since=his.created_at + timedelta(hours=1), submission=his.submission) == []


def test_rows_are_as_django_reads_them(alice):
    hers = factories.submit(alice)
    plain = models.Request.objects.select_related("requester").get(pk=hers.pk)
    [found] = find_requests(person=alice.pk, since=hers.created_at, submission=hers.submission)

    names = [name for name in plain.__dict__ if not name.startswith("_")]
    assert [found.__dict__[name] for name in names] == [plain.__dict__[name] for name in names]
    assert found.stored == plain.stored
    assert queries.record(lambda: found.requester.username) == []


def test_what_is_no_parameter_is_a_part_of_the_query(alice, bob):
    assert list_first(after="", most=1) == [alice]
    assert list_first(after="", most=2) == [alice, bob]
    assert list_first(after="alice", most=2) == [bob]


def test_what_would_be_another_query_is_refused(alice):
    with pytest.raises(TypeError, match="person is None"):
        find_requests(person=None, since=alice.date_joined, submission=uuid4())  # type: ignore[arg-type]


def test_the_sql_is_written_once(alice, bob, monkeypatch):
    assert list_names() == ["alice", "bob"]
    models.User.objects.filter(username="bob").update(username="carol")
    monkeypatch.setattr(SQLCompiler, "as_sql", None)  # cannot be called

    assert list_names() == ["alice", "carol"]
    with pytest.raises(TypeError):
        models.User.objects.count()


def test_each_thread_uses_its_own_connection(alice):
    assert list_names() == ["alice"]

    def read(_):
        try:
            return list_names()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as threads:
        assert list(threads.map(read, range(8))) == [["alice"]] * 8


def test_rows_are_locked_in_a_transaction_only(alice):
    hers = factories.submit(alice)
    with transaction.atomic():
        assert lock_requests(person=alice.pk) == [hers]
    with pytest.raises(transaction.TransactionManagementError):
        lock_requests(person=alice.pk)
