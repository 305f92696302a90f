"""What verifying has found."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

KEY = "key"  # the kind of findings that something cannot be judged: nothing was changed
MOST_KEPT = 1000  # findings of a kind: where one thing is wrong, all may be


@dataclass(frozen=True, kw_only=True)
class Finding:
    """`kind`: changed, removed or inserted (an event); seal, tombstone, checkpoint, KEY; row changed, row removed, row
    inserted; stream (it is not as it was sent)."""

    kind: str
    what: str
    words: str

    def __str__(self) -> str:
        return f"{self.what[:1].upper()}{self.what[1:]} {self.words}"


@dataclass(kw_only=True)
class Report:
    """What was found, in the order of the log, and what was looked at.

    `kinds`: how many findings of each, kept or not; anybody can make up as many of one as they like. `unfit`: what
    is not as the portal wrote it. `newest`: when the newest seal was made. `sent`: compared with what
    was sent; `lost`: of these, by a restore.
    """

    findings: list[Finding] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    seals: int = 0
    events: int = 0
    pruned: int = 0
    unsealed: int = 0
    rows: int = 0
    not_judged: int = 0
    sent: int = 0
    lost: int = 0
    newest: datetime | None = None
    unfit: set[str] = field(default_factory=set)
    _missing_keys: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        """Findings of all kinds."""
        return self.kinds.total()

    def count_broken(self) -> int:
        """Findings that say that something was removed or changed."""
        return self.kinds["removed"] + self.kinds["changed"]

    def add(self, kind: str, what: str, words: str) -> None:
        """Count a finding, and keep it unless too many of its kind are kept already."""
        self.kinds[kind] += 1
        if kind != KEY:
            self.unfit.add(what)
        if self.kinds[kind] <= MOST_KEPT:
            self.findings.append(Finding(kind=kind, what=what, words=words))

    def add_key(self, signature: str, what: str) -> None:
        """Note once that what was signed with this key cannot be checked."""
        key_id = signature.partition(":")[0]
        if key_id not in self._missing_keys:
            self._missing_keys.add(key_id)
            self.add(KEY, what, f"cannot be checked: its audit key {key_id} is not in PORTAL_AUDIT_KEY_OLD.")
