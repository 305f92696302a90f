"""What lists and pages of mirrors have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import Http404, QueryDict

from portal import forms, models
from portal.services.runtime import hidden

_MOST_CONTENTS = 500  # files or logs on one page; the newest


def find_newest[Row: Model](*, rows: QuerySet[Row], uid: str) -> Row:
    """The row with the provider's UID; of several accounts' the newest. Raises Http404."""
    found = rows.filter(uid=uid).order_by("-pk").first()
    if found is None:
        raise Http404
    return found


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A workspace's newest files and logs. Where `is_closed`, they are not for the reader."""

    files: Iterable[Model] = ()
    logs: Iterable[Model] = ()
    is_closed: bool = False
    has_addresses: bool = False

    def show_raw(self, raw: str) -> str:
        return "" if self.is_closed else hidden.hide(text=raw, with_addresses=self.has_addresses)


def read_contents(*, workspace: models.Workspace | None, user: models.User) -> Contents:
    """All of it to its owner, without addresses to who sees everything."""
    is_owner = workspace is not None and workspace.owner_id == user.pk
    if workspace is None or not (is_owner or user.sees_all):
        return Contents(is_closed=workspace is not None)
    files, logs = (rows.order_by("-created_at", "-pk")[:_MOST_CONTENTS] for rows in (workspace.files, workspace.logs))
    return Contents(files=files, logs=logs, has_addresses=is_owner)


def list_tabs(form: forms.PartsForm, *, query: QueryDict, kept: Sequence[str] = ()) -> list[tuple[Any, str, bool]]:
    """Words, a link, and whether it is the part that is shown. Links keep the parameters of the query in `kept`."""
    others = {name: query[name] for name in kept if query.get(name)}
    return [(words, f"?{urlencode({**others, 'show': name})}", name == form.shown) for name, words in form.PARTS]
