"""The texts by which requests are found: whoever saves a part of one calls `save_text`."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Model

from portal import models

_LONGEST_ERROR = 500  # characters of each text of an error
# What is there already is not added once more: many attempts end in the same error.
_ADD = """
    INSERT INTO portal_searchentry AS kept (request_id, words) VALUES (%s, %s)
    ON CONFLICT (request_id) DO UPDATE SET words = kept.words || ' ' || excluded.words
    WHERE replace(kept.words, excluded.words, '') = kept.words
"""


def save_text(*, number: int, rows: Iterable[Model]) -> None:
    """Let the request be found by what these rows, which are its own, say of it. What was said before stays."""
    text = " ".join(part for row in rows for part in _list_parts(row) if part)
    if text:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [number, models.fold(text)])


def _list_parts(row: Model) -> list[str]:
    match row:
        case models.Request():
            return [getattr(row, name) for name in row.WORDS]
        case models.Attempt() | models.LateResponse():
            return [row.error[:_LONGEST_ERROR], row.message[:_LONGEST_ERROR]]
        case models.Workstation():
            return [row.uid, row.workspace.uid if row.workspace else ""]
    return []
