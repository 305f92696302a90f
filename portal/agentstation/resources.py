"""The provider's responses as frozen dataclasses.

They are made to survive whatever comes: keys, types, statuses and levels that the contract does not know are kept, and
what is missing or of the wrong type is "" or None. Only an id is insisted on: without a usable one `from_dict` raises
ValueError. `raw` is the JSON object as it came, `deviations` what in it is not as the contract says.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from portal.agentstation._transport import Stream
from portal.agentstation.contract import Deviation, find_deviations

_MOST_COMPARED = 100  # entries of a page, which is as many as are ever asked for
_MOST_TYPES = 1000  # of a list that are read
# Characters of texts that are read, beside the raw document; of an address, which would lead elsewhere if it were cut.
LONGEST_WORDS, _LONGEST_NAME, LONGEST_ADDRESS = 4096, 500, 8192


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete HTTP response.

    `body` is its first MiB, decompressed, with the API key blotted out should the provider repeat it; `truncated` says
    that there was more. `date` is when the provider says that it answered. `retry_after` is in seconds from then, never
    negative and not capped. Both are None where the header is absent or unreadable. `error` and `message` are the
    strings of these names in a JSON body, cut and escaped, or "". `deviations` are those of a refusal, of what cannot
    be read, and of the workstation that answers a POST. `stream` is what comes in the place of a body.
    """

    status: int
    body: bytes = field(repr=False)
    truncated: bool
    retry_after: float | None
    error: str = field(repr=False)
    message: str = field(repr=False)
    date: datetime | None = None
    stream: Stream | None = field(default=None, repr=False, compare=False)
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Reply[T]:
    value: T
    response: Response


def read_json(body: bytes) -> object:
    """The JSON document in `body`; None where there is none, however it fails. NaN and infinite numbers become None."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float | None:
    """A number that JSON can also be written with: 1e999 reads as infinite, and no database's JSON takes that back."""
    number = float(text)
    return number if math.isfinite(number) else None


@dataclass(frozen=True, kw_only=True)
class File:
    """A file in a workspace. `size` is in bytes, as it came: perhaps negative or too large for a column."""

    uid: str
    name: str
    url: str
    size: int | None
    created_at: datetime | None
    raw: Mapping[str, object] = field(repr=False, hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        return cls(
            uid=_uid(data),
            name=_text(data, "name"),
            url=_address(data),
            size=_integer(data, "size"),
            created_at=_time(data, "createdAt"),
            raw=data,
        )


@dataclass(frozen=True, kw_only=True)
class Log:
    uid: str
    type: str
    level: str
    url: str
    created_at: datetime | None
    raw: Mapping[str, object] = field(repr=False, hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        return cls(
            uid=_uid(data),
            type=_text(data, "type"),
            level=_text(data, "level"),
            url=_address(data),
            created_at=_time(data, "createdAt"),
            raw=data,
        )


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where a workstation works; files and logs without a usable id are only in `raw`."""

    uid: str
    status: str
    files: tuple[File, ...]
    logs: tuple[Log, ...]
    created_at: datetime | None
    raw: Mapping[str, object] = field(repr=False, hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        return cls(
            uid=_uid(data),
            status=_text(data, "status"),
            files=_entries(data, "files", File.from_dict),
            logs=_entries(data, "logs", Log.from_dict),
            created_at=_time(data, "createdAt"),
            raw=data,
        )


@dataclass(frozen=True, kw_only=True)
class Workstation:
    """A workstation; `workspace` is None where the response names none that is usable."""

    uid: str
    type: str
    status: str
    workspace: Workspace | None
    started_at: datetime | None
    raw: Mapping[str, object] = field(repr=False, hash=False)
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        _uid(data)
        return cls.from_entry(data)

    @classmethod
    def from_entry(cls, entry: object, *, is_compared: bool = True) -> Self:
        """Read an entry of a list, which may be anything; with `deviations` only where it `is_compared`."""
        data: Mapping[str, object] = entry if isinstance(entry, dict) else {"entry": entry}
        return cls(
            uid=_string(data, "id"),
            type=_text(data, "type"),
            status=_text(data, "status"),
            workspace=_usable(data.get("workspace"), Workspace.from_dict),
            started_at=_time(data, "startedAt"),
            raw=data,
            deviations=find_deviations(name="workstation", document=data) if is_compared else (),
        )


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a list.

    An entry without a usable id has the uid ""; one that is no object has it as "entry" in its `raw`. `next_cursor` is
    "" on the last page, `date` as in Response. `deviations` are those of the page beside its entries.
    """

    entries: tuple[Workstation, ...]
    next_cursor: str
    date: datetime | None = None
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """Read it, as of no date; raises ValueError where it is no page. Its entries may be anything."""
        listed, cursor = data.get("data"), data.get("next_cursor")
        entries = listed if isinstance(listed, list) else None
        if entries is None or not isinstance(cursor, str | None):
            raise ValueError("no page of a list")
        return cls(
            entries=tuple(
                Workstation.from_entry(entry, is_compared=place < _MOST_COMPARED) for place, entry in enumerate(entries)
            ),
            next_cursor=cursor or "",
            deviations=find_deviations(name="list", document={**data, "data": []}),
        )


@dataclass(frozen=True, kw_only=True)
class WorkstationTypeDescription:
    """What the provider's list of types says of one; `models` are those of its language, speech and so on."""

    name: str
    description: str
    hardware: tuple[str, ...]
    software: tuple[str, ...]
    models: tuple[str, ...]
    raw: Mapping[str, object] = field(repr=False, hash=False)
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        return cls(
            name=_uid(data),
            description=_text(data, "description", longest=LONGEST_WORDS),
            hardware=_texts(data, "hardware"),
            software=_texts(data, "software"),
            models=_texts(data, "models"),
            raw=data,
            deviations=find_deviations(name="type", document=data),
        )

    @classmethod
    def list_from_dict(cls, data: Mapping[str, object]) -> tuple[Self, ...]:
        """The usable ones of a list, flat or with a second list within its data. Raises ValueError without a list."""
        listed = data.get("data")
        if isinstance(listed, dict):
            listed = listed.get("data")
        if isinstance(listed, list):
            entries = itertools.islice(_unfold(listed), _MOST_TYPES)
            return tuple(usable for entry in entries if (usable := _usable(entry, cls.from_dict)) is not None)
        raise ValueError("no list of types")


def _unfold(listed: list[object]) -> Iterator[object]:
    """The entries; in the place of one that is itself a list, those of that."""
    for entry in listed:
        within = entry.get("data") if isinstance(entry, dict) and "id" not in entry else None
        yield from within if isinstance(within, list) else [entry]


@dataclass(frozen=True, kw_only=True)
class Released:
    """The answer to a release; `released` is None where the provider's word for it is missing or no boolean."""

    released: bool | None
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        released = data.get("released")
        return cls(
            released=released if isinstance(released, bool) else None,
            deviations=find_deviations(name="release", document=data),
        )


def _uid(data: Mapping[str, object]) -> str:
    uid = _string(data, "id")
    if not uid:
        raise ValueError("no usable id")
    return uid


def escape_text(text: str) -> str:
    r"""The text with what a database refuses, NUL and lone surrogates, written as \x00 and \ud800."""
    return text.replace("\x00", "\\x00").encode("utf-8", errors="backslashreplace").decode("utf-8")


def _string(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _text(data: Mapping[str, object], name: str, *, longest: int = _LONGEST_NAME) -> str:
    return escape_text(_string(data, name)[:longest])[:longest]


def _address(data: Mapping[str, object]) -> str:
    address = escape_text(_string(data, "url"))
    return address if len(address) <= LONGEST_ADDRESS else ""


def _texts(data: Mapping[str, object], name: str) -> tuple[str, ...]:
    listed = data.get(name)
    texts = (text[:_LONGEST_NAME] for text in listed if isinstance(text, str)) if isinstance(listed, list) else ()
    return tuple(map(escape_text, texts))


def _integer(data: Mapping[str, object], name: str) -> int | None:
    value = data.get(name)
    # In Python True is an int; in JSON it is not.
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(data: Mapping[str, object], name: str) -> datetime | None:
    """An aware time in UTC; one without a zone is taken as UTC."""
    try:
        time = datetime.fromisoformat(_text(data, name))
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # What a database or a time zone cannot hold is as good as missing.
    return time if 1900 <= time.year <= 9000 else None


def _usable[T](value: object, read: Callable[[Mapping[str, object]], T]) -> T | None:
    if not isinstance(value, dict):
        return None
    try:
        return read(value)
    except ValueError:
        return None


def _entries[T](data: Mapping[str, object], name: str, read: Callable[[Mapping[str, object]], T]) -> tuple[T, ...]:
    """The usable entries of a nested list: {"object": "list", "data": [...]}."""
    listed = data.get(name)
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        return ()
    return tuple(usable for entry in entries if (usable := _usable(entry, read)) is not None)
