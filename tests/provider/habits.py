"""The habits that faults may give to the provider: how it lags, leaves out and exaggerates."""

from dataclasses import dataclass
from typing import Any

from tests.provider.wishes import MOST_SECONDS, is_count, is_number, require


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What the provider does against all hope. All are in seconds, shares of 1, or yes and no."""

    # The clock of the provider: times in answers, windows that are asked for, the Date header, Retry-After as a date.
    clock_off: float = 0.0
    # Times in its documents alone, as where they are local ones.
    times_off: float = 0.0
    # From its start until the lists show a workstation, and until it can be read singly.
    shows_after: float = 0.0
    reads_after: float = 0.0
    # From its end until the history shows it, and how long the active list goes on to show it as active.
    history_shows_after: float = 0.0
    shows_ended_for: float = 0.0
    # From an answered release until the workstation ends.
    release_takes: float = 0.0
    # What the lists leave out: everything, these workstations, a share of each page.
    lists_empty: bool = False
    omit: frozenset[str] = frozenset()
    omit_share: float = 0.0
    # Pages counted by place shift when a workstation comes or ends between two of them: one shows twice, or never.
    pages_shift: bool = False
    # After the last page comes the first again, always with a cursor that was not there before.
    endless: bool = False
    # Answers without the workspace, which the contract calls optional.
    posts_without_workspace: float = 0.0
    reads_without_workspace: float = 0.0
    lists_without_workspace: float = 0.0
    # So many more files for each workstation that is made, with names of at least this length.
    more_files: int = 0
    name_length: int = 0
    # The log stream says to no browser that a page from elsewhere may read it.
    no_cors: bool = False
    # With this share of the POSTs, somebody else makes a workstation with the same key.
    strangers: float = 0.0
    # Ids that workstations made by a POST are given once more, each after the workstation that has it has ended.
    reuse: frozenset[str] = frozenset()
    # Keys that are accepted too.
    more_keys: frozenset[str] = frozenset()


_SECONDS = ("shows_after", "reads_after", "history_shows_after", "shows_ended_for", "release_takes")
_SHARES = ("omit_share", "posts_without_workspace", "reads_without_workspace", "lists_without_workspace", "strangers")
_NUMBERS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("clock_off", "times_off"), (-MOST_SECONDS, MOST_SECONDS)),
    **dict.fromkeys(_SECONDS, (0, MOST_SECONDS)),
    **dict.fromkeys(_SHARES, (0, 1)),
}
_COUNTS: dict[str, tuple[int, int]] = {"more_files": (0, 10_000), "name_length": (0, 1_000_000)}
_SWITCHES = ("lists_empty", "pages_shift", "endless", "no_cors")
_SETS = ("omit", "reuse", "more_keys")
KEYS = frozenset({*_NUMBERS, *_COUNTS, *_SWITCHES, *_SETS})


def read_habits(wish: dict[str, Any]) -> Habits:
    """The habits among the keys of faults; raises ScriptError."""
    found = {key: value for key, value in wish.items() if key in KEYS}
    for key, value in found.items():
        if key in _SWITCHES:
            require(isinstance(value, bool), f"{key} must be true or false")
        elif key in _SETS:
            sound = isinstance(value, list) and all(isinstance(name, str) for name in value)
            require(sound, f"{key} must be a list of strings")
        else:
            low, high = (_NUMBERS | _COUNTS)[key]
            is_sound = is_count(value) if key in _COUNTS else is_number(value)
            require(is_sound and low <= value <= high, f"{key} must be from {low} to {high}")
    return Habits(**{**found, **{key: frozenset(found.get(key, ())) for key in _SETS}})
