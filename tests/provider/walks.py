"""Walks through a list by place, which shift when a workstation comes or ends, and may never end."""

import base64
import re
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import parse_qsl, urlencode

_CURSOR = re.compile(r"place/([0-9]{1,18})/([0-9]{1,9})/(.*)")


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Where it stands. `bounds`: the query that it began with; `lap` tells a second walk through it from the first."""

    place: int = 0
    lap: int = 0
    bounds: str = ""

    @classmethod
    def read(cls, query: str) -> tuple[Self | None, str]:
        """The walk that a list's query begins or goes on with, and the query for its part of the list.

        There is none where the query has a cursor of another kind.
        """
        values = dict(parse_qsl(query, keep_blank_values=True))
        limit = {name: values.pop(name) for name in ("limit",) if name in values}
        if "cursor" not in values:
            walk = cls(bounds=urlencode(values))
        elif found := _CURSOR.fullmatch(_decode(values["cursor"])):
            walk = cls(place=int(found[1]), lap=int(found[2]), bounds=found[3])
        else:
            return None, query
        return walk, "&".join((walk.bounds, urlencode(limit)))

    def write(self) -> str:
        return base64.urlsafe_b64encode(f"place/{self.place}/{self.lap}/{self.bounds}".encode()).decode()

    def move(self, count: int) -> Self:
        return replace(self, place=self.place + count)

    def start_again(self) -> Self:
        return replace(self, place=0, lap=self.lap + 1)


def _decode(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor).decode("ascii")
    except ValueError:
        return ""
