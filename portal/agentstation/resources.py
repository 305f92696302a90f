"""The provider's responses as frozen dataclasses.

They are made to survive whatever comes: keys, types, statuses and levels that the contract does not know are kept, and
what is missing or of the wrong type is "" or None. Only an id is insisted on: without a usable one `from_dict` raises
ValueError. `raw` is the JSON object as it came, `deviations` what in it is not as the contract says.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Annotated, Any, Self, get_origin, get_type_hints

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


# --- What is read of a member, whatever it is ---


def escape_text(text: str) -> str:
    r"""The text with what a database refuses, NUL and lone surrogates, written as \x00 and \ud800."""
    return text.replace("\x00", "\\x00").encode("utf-8", errors="backslashreplace").decode("utf-8")


def _read_string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read_uid(value: object) -> str:
    if uid := _read_string(value):
        return uid
    raise ValueError("no usable id")


def read_text(value: object, *, longest: int = _LONGEST_NAME) -> str:
    """The beginning of a text, escaped."""
    return escape_text(_read_string(value)[:longest])[:longest]


def _read_address(value: object) -> str:
    address = escape_text(_read_string(value))
    return address if len(address) <= LONGEST_ADDRESS else ""


def _read_texts(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else []
    return tuple(escape_text(text[:_LONGEST_NAME]) for text in listed if isinstance(text, str))


def _read_integer(value: object) -> int | None:
    # In Python True is an int; in JSON it is not.
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _read_time(value: object) -> datetime | None:
    """An aware time in UTC; one without a zone is taken as UTC."""
    try:
        time = datetime.fromisoformat(read_text(value))
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # What a database or a time zone cannot hold is as good as missing.
    return time if 1900 <= time.year <= 9000 else None


def _read_usable[T](read: Callable[[Mapping[str, object]], T], value: object) -> T | None:
    try:
        return read(value) if isinstance(value, dict) else None
    except ValueError:
        return None


def _read_all[T](read: Callable[[Mapping[str, object]], T], values: Iterable[object]) -> tuple[T, ...]:
    return tuple(usable for value in values if (usable := _read_usable(read, value)) is not None)


def _read_list[T](read: Callable[[Mapping[str, object]], T], value: object) -> tuple[T, ...]:
    """The usable entries of a nested list: {"object": "list", "data": [...]}."""
    entries = value.get("data") if isinstance(value, dict) else None
    return _read_all(read, entries if isinstance(entries, list) else [])


# --- The resources, each with the members of its object and how they are read ---

# The members that are not called as their fields are.
_MEMBERS = {"uid": "id", "created_at": "createdAt", "started_at": "startedAt"}


_Uid = Annotated[str, _read_uid]
_Text = Annotated[str, read_text]
_Texts = Annotated[tuple[str, ...], _read_texts]
_Address = Annotated[str, _read_address]
_Time = Annotated[datetime | None, _read_time]


@dataclass(frozen=True, kw_only=True)
class _Resource:
    raw: Mapping[str, object] = field(repr=False, hash=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        return cls(**_read_members(cls, data), raw=data)


def _read_members(kind: Any, data: Mapping[str, object]) -> dict[str, Any]:
    return {name: read(data.get(member)) for name, member, read in _list_members(kind)}


@cache
def _list_members(kind: type) -> list[tuple[str, str, Callable[[object], object]]]:
    """Each field that is read, the member of the object that it is read from, and how."""
    hints = get_type_hints(kind, include_extras=True).items()
    reads = {name: hint.__metadata__[0] for name, hint in hints if get_origin(hint) is Annotated}
    return [(name, "id" if read is _read_uid else _MEMBERS.get(name, name), read) for name, read in reads.items()]


@dataclass(frozen=True, kw_only=True)
class File(_Resource):
    """A file in a workspace. `size` is in bytes, as it came: perhaps negative or too large for a column."""

    uid: _Uid
    name: _Text
    url: _Address
    size: Annotated[int | None, _read_integer]
    created_at: _Time


@dataclass(frozen=True, kw_only=True)
class Log(_Resource):
    uid: _Uid
    type: _Text
    level: _Text
    url: _Address
    created_at: _Time


@dataclass(frozen=True, kw_only=True)
class Workspace(_Resource):
    """Where a workstation works; files and logs without a usable id are only in `raw`."""

    uid: _Uid
    status: _Text
    files: Annotated[tuple[File, ...], partial(_read_list, File.from_dict)]
    logs: Annotated[tuple[Log, ...], partial(_read_list, Log.from_dict)]
    created_at: _Time


@dataclass(frozen=True, kw_only=True)
class Workstation(_Resource):
    """A workstation; `workspace` is None where the response names none that is usable."""

    uid: Annotated[str, _read_string]
    type: _Text
    status: _Text
    workspace: Annotated[Workspace | None, partial(_read_usable, Workspace.from_dict)]
    started_at: _Time
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """Read what the contract documents; what is missing or of another type is left empty, but for the id."""
        _read_uid(data.get("id"))
        return cls.from_entry(data)

    @classmethod
    def from_entry(cls, entry: object, *, is_compared: bool = True) -> Self:
        """Read an entry of a list, which may be anything; with `deviations` only where it `is_compared`."""
        data: Mapping[str, object] = entry if isinstance(entry, dict) else {"entry": entry}
        deviations = find_deviations(name="workstation", document=data) if is_compared else ()
        return cls(**_read_members(cls, data), raw=data, deviations=deviations)


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
class WorkstationTypeDescription(_Resource):
    """What the provider's list of types says of one; `models` are those of its language, speech and so on."""

    name: _Uid
    description: Annotated[str, partial(read_text, longest=LONGEST_WORDS)]
    hardware: _Texts
    software: _Texts
    models: _Texts
    deviations: tuple[Deviation, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """Read what the contract documents; what is missing or of another type is left empty, but for the id."""
        deviations = find_deviations(name="type", document=data)
        return cls(**_read_members(cls, data), raw=data, deviations=deviations)

    @classmethod
    def list_from_dict(cls, data: Mapping[str, object]) -> tuple[Self, ...]:
        """The usable ones of a list, flat or with a second list within its data. Raises ValueError without a list."""
        listed = data.get("data")
        if isinstance(listed, dict):
            listed = listed.get("data")
        if isinstance(listed, list):
            return _read_all(cls.from_dict, itertools.islice(_unfold(listed), _MOST_TYPES))
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
        """Read the answer to a release; `released` is None where it does not say."""
        released = data.get("released")
        return cls(
            released=released if isinstance(released, bool) else None,
            deviations=find_deviations(name="release", document=data),
        )
