"""Digests of the rows that an event tells of: what a row was after its last event can be compared with what it is.

Which columns count is said here, and in docs/record.md. Left out is what the portal changes without an event: what it
only mirrors, when it looks next, when somebody was last here. Every change of a column that counts goes with an event.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db.models import Model

from portal import models
from portal.services.audit import canon, keys

_SIZE = 12  # bytes of a digest

FORMS: Mapping[str, canon.Form] = {
    "request": canon.Form(
        model=models.Request,
        names=(
            *("id", "account_id", "requester_id", "submission", "type", "workspace_uid", "note", "created_at"),
            *("status", "failure", "tries", "ended_at", "cancel_wished_at", "operator_note"),
        ),
    ),
    "attempt": canon.Form(
        model=models.Attempt,
        names=(
            *("id", "request_id", "number", "worker", "claimed_at", "deadline_at", "ended_at", "outcome", "failure"),
            *("key_fingerprint", "retry_after", "http_status", "error", "message", "answer"),
        ),
    ),
    "late-answer": canon.Form(
        model=models.LateAnswer,
        names=("id", "attempt_id", "came_at", "outcome", "failure", "http_status", "error", "message", "answer"),
    ),
    "workstation": canon.Form(
        model=models.Workstation,
        names=(
            *("id", "account_id", "uid", "request_id", "made_for_id", "is_foreign"),
            *("release_asked_at", "release_asked_by_id", "ended_at"),
        ),
    ),
    "workspace": canon.Form(model=models.Workspace, names=("id", "account_id", "uid", "owner_id")),
    "account": canon.Form(model=models.Account, names=("id", "base_url", "created_at", "retired_at", "first_look")),
    "key": canon.Form(
        model=models.Key,
        names=(*("id", "account_id", "state", "cause", "held_at", "held_until", "operator_only", "hold_ended_at"),),
    ),
    "credential": canon.Form(
        model=models.Credential,
        names=(
            "id",
            "account_id",
            "fingerprint",
            "base_url",
            "is_sandbox",
            "asked_at",
            "accepted_at",
            "accepted_by_id",
        ),
    ),
    "database": canon.Form(
        model=models.Database,
        names=("id", "identity", "place", "timeline", "timeline_tick", "doubt", "doubted_at"),
    ),
    "restore": canon.Form(
        model=models.Restore,
        names=("id", "account_id", "lost_since", "lost_since_tick", "restored_at", "restored_tick"),
    ),
    "stray-response": canon.Form(
        model=models.StrayResponse,
        names=(
            *("id", "account_id", "attempt_number", "token", "came_at"),
            *("outcome", "failure", "http_status", "error", "message", "answer"),
        ),
    ),
    "person": canon.Form(
        model=models.User,
        names=(
            *("id", "username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser"),
            "time_zone",
        ),
        lists=("groups", "user_permissions"),
    ),
    "group": canon.Form(model=Group, names=("id", "name"), lists=("permissions",)),
    "notice": canon.Form(
        model=models.Notice, names=("id", "kind", "first_at", "acknowledged_at", "acknowledged_by_id")
    ),
    "workstation-type": canon.Form(model=models.WorkstationType, names=("id", "account_id", "name", "withdrawn_at")),
    "tombstone": canon.Form(
        model=models.Tombstone, names=("id", "made_at", "kind", "first_id", "last_id", "ids", "counts", "digest")
    ),
}
_KINDS = {form.model: kind for kind, form in FORMS.items()}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What an event says of a row: its digest then.

    `origin` is the id of the event that said it first, `number` the request that the event belongs to.
    """

    kind: str
    id: int
    digest: str
    key_id: str
    origin: int
    number: int | None = None


def write_digests(*, rows: Iterable[Model], gone: Iterable[Model] = (), carried: Iterable[Statement] = ()) -> str:
    """What an event keeps of these rows, as they are stored now; `gone`: of rows that are deleted with it; `carried`:
    what other events, which go, say of rows that stay.

    Rows of other kinds are left out. One query for each row.
    """
    key = keys.get_key()
    words = [_write(row, is_gone=False, secret=key.secret) for row in rows if type(row) in _KINDS]
    words += [_write(row, is_gone=True, secret=key.secret) for row in gone if type(row) in _KINDS]
    words += [f"{one.kind}:{one.id}:{one.digest}:{one.origin}:{one.key_id}" for one in carried]
    return " ".join([key.id, *dict.fromkeys(words)]) if words else ""


def _write(row: Model, *, is_gone: bool, secret: bytes) -> str:
    kind = _KINDS[type(row)]
    stored = {} if is_gone else read_rows(kind=kind, ids=[row.pk])
    return f"{kind}:{row.pk}:{digest_row(kind=kind, number=row.pk, row=stored.get(row.pk), secret=secret)}"


def read_rows(*, kind: str, ids: Iterable[int]) -> dict[int, canon.Row]:
    """The rows that are there, in canonical form, by id."""
    wanted = list(ids)
    places = ", ".join(["%s"] * len(wanted))
    rows = canon.read_rows(form=FORMS[kind], where=f"id IN ({places})", values=wanted, limit=len(wanted))
    return {row[0]: row for row in rows}


def digest_row(*, kind: str, number: int, row: canon.Row | None, secret: bytes) -> str:
    """The digest of a row in canonical form; None: there is no such row."""
    message = canon.encode(row=[kind, row if row is not None else [number]])
    return hmac.digest(secret, message, hashlib.sha256)[:_SIZE].hex()


def read_statements(*, text: str, event_id: int, number: int | None = None) -> Iterator[Statement]:
    """What an event (of the request with that number) says of rows, of itself or for events that were pruned.

    What cannot be read is left out: that the event was changed is found elsewhere.
    """
    key_id, *words = text.split(" ") if isinstance(text, str) else [""]
    for word in words:
        statement = _read_statement(word.split(":"), event_id=event_id, key_id=key_id, number=number)
        if statement is not None:
            yield statement


def _read_statement(parts: list[str], *, event_id: int, key_id: str, number: int | None) -> Statement | None:
    match parts:
        case [kind, row_id, digest] if kind in FORMS and row_id.isdecimal():
            return Statement(kind=kind, id=int(row_id), digest=digest, key_id=key_id, origin=event_id, number=number)
        case [kind, row_id, digest, origin, former_key_id] if (
            kind in FORMS and row_id.isdecimal() and origin.isdecimal() and int(origin) < event_id
        ):
            return Statement(kind=kind, id=int(row_id), digest=digest, key_id=former_key_id, origin=int(origin))
        case _:
            return None
