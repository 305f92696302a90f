"""Scenes: what chance hardly makes is played once in each run, in order and while nothing else is wrong."""

import math
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from tests.chaos import habits, inside, stage

MEMBER, OPERATOR = "member-1", "olga"
# Of types of their own: what one scene leaves behind is no candidate in another.
ODD, GIVEN, WITNESS, SHARED = "voip", "python", "max", "nodejs"
LONG_ID = "*" * 25
STRANGERS = 6
WITHIN = 30.0  # seconds, for each step
# So long what is taken as not created may need: three graces, the deadline of an attempt, and a scan.
DECIDED_WITHIN = 3 * stage.SETTLE_GRACE + stage.DEADLINE + 5.0
# The provider ends each after 30 s: the shorter one is announced, put off, due by the old end and put back before.
LIFETIME, SHORT, BACKUP = "20s", "15s", "backup"
DUE_AFTER = 15.0  # seconds
TRIES = 5


class Scenes:
    def __init__(self, *, scene: stage.Stage, direct: Callable[..., None]) -> None:
        self._stage, self._direct = scene, direct
        self.deeds = Counter[str]()
        # Workstations whose end was put off before the database went back.
        self.kept = set[str]()
        # Between the backup and its restore, in seconds since 1970: what was stored meanwhile is gone.
        self.forgotten = (math.inf, -math.inf)

    def play_unknown(self, *, close: Callable[[int], None]) -> None:
        """Requests of unknown outcome. Afterwards `close` ends those that an operator has to decide about."""
        enabled, opened, before = self._stage.habits, list[int](), inside.is_shared()
        if habits.LISTED_BETWEEN in enabled:
            opened.append(self._list_between())
        if habits.MANY_STRANGERS in enabled:
            opened.append(self._make_strangers())
        # Whatever is to be decided about what was listed between; a stranger is given away at once.
        stage.wait_until(lambda: not inside.list_open(opened, "UNKNOWN"), seconds=DECIDED_WITHIN)
        for number in inside.list_open(opened, "UNKNOWN"):
            close(number)
        if not before and inside.is_shared():
            inside.clear_sharing(operator=OPERATOR)

    def _list_between(self) -> int:
        """What a request made is listed under an id that cannot be kept, and then another is given its own."""
        first = self._lose(ODD, made=True, uid=LONG_ID)
        self._wait(lambda: inside.count_listed(ODD) > 0)
        self._make_witness()
        given = self._lose(GIVEN, made=True)
        self._wait(lambda: not inside.list_open([given]))
        self._make_witness()
        self.deeds["listed between two claims"] += 1
        return first

    def _make_strangers(self) -> int:
        """A lost answer whose workstation is found, then strangers; then one that made nothing, and a stranger."""
        found = self._lose(SHARED, made=True)
        self._wait(lambda: not inside.list_open([found]))
        self._direct("strangers", count=STRANGERS, types=[SHARED])
        self._wait(lambda: inside.count_listed(SHARED) >= STRANGERS)
        self._make_witness()
        lost = self._lose(SHARED, made=False)
        self._direct("strangers", count=1, types=[SHARED])
        self.deeds["strangers after a lost answer"] += 1
        return lost

    def _lose(self, type: str, **deeds: object) -> int:
        """A request whose answer is lost; its number once its outcome is unknown, or known again."""
        self._direct("answers", name="reset", **deeds)
        number = inside.submit(MEMBER, type=type, lifetime="none")
        self._wait(lambda: inside.was_lost(number))
        return number

    def _make_witness(self, *, lifetime: str = LIFETIME) -> int:
        """Have one succeed: several lost answers in a row would pause the key."""
        number = inside.submit(MEMBER, type=WITNESS, lifetime=lifetime)
        self._wait(lambda: not inside.list_open([number]))
        return number

    def play_database(self, *, has_answered: Callable[[], bool], is_released: Callable[[str], bool]) -> None:
        """Put the database back as it was before an end was put off, and wait for that end, or for the operator."""
        if habits.DATABASE_BACK not in self._stage.habits:
            return
        # A long run leaves more events than are sent within such a life.
        stage.wait_until(inside.is_all_sent, seconds=4 * WITHIN)
        uid, made, copied_at = self._back_up_and_keep()
        self.kept.add(uid)
        # Each complete scan moves the tick: the workers have seen more than there is now.
        scans = inside.count_scans()
        self._wait(lambda: inside.count_scans() > scans and time.monotonic() - made > DUE_AFTER)
        inside.reconnect()
        self._stage.database.put_back(BACKUP)
        self.forgotten = (copied_at, time.time())
        inside.reconnect()
        self.deeds["database put back"] += 1
        stage.wait_until(lambda: has_answered() or is_released(uid), seconds=WITHIN)

    def _back_up_and_keep(self) -> tuple[str, float, float]:
        """Whose end was put off after a backup, when it was made, and when the backup began."""
        for _ in range(TRIES):  # on a busy machine one may have ended before its end is put off
            number, made = self._make_witness(lifetime=SHORT), time.monotonic()
            # What was announced and is due is ended without waiting; with all events sent nothing else would notice.
            self._wait(partial(inside.is_announced, number))
            self._wait(inside.is_all_sent)
            copied_at = time.time()
            self._stage.database.copy(BACKUP)
            inside.reconnect()
            if uid := inside.keep(number, operator=OPERATOR):
                return uid, made, copied_at
        raise stage.CannotStage(f"each of {TRIES} ended before its end was put off")

    def _wait(self, is_true: Callable[[], bool]) -> None:
        if not stage.wait_until(is_true, seconds=WITHIN):
            raise stage.CannotStage("a scene does not go on; the logs show why")
