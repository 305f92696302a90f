"""The search index: an entry for each request, which the database keeps up to date by triggers of its own.

An entry has the words of all texts of the request (its workspace, its note, its requester's names, the UIDs of what it
got, the errors of its attempts) and a tag for each property by which the history is filtered. Any filters together are
then one question to one index: SQLite's FTS5 with the trigram tokenizer, PostgreSQL's GIN over tags and trigrams.

Nobody who changes a request can forget its entry: triggers make it anew, from the rows as they then are.
"""

from dataclasses import dataclass

from django.db import connection, transaction

from portal.services.search import tags

_PREFIX = "portal_find_"
_LONGEST_ERROR = 500  # characters of each text of an error
_BATCH = 5_000
_MANY = 50_000

# --- Triggers ---


@dataclass(frozen=True, kw_only=True)
class Hook:
    """After an `act` on a table, where the condition holds: make the entries of these requests anew."""

    table: str
    act: str
    columns: str = ""
    condition: str = ""
    numbers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the trigger."""
        return f"{_PREFIX}{self.table.removeprefix('portal_')}_{self.act.lower()}"

    @property
    def event(self) -> str:
        """As CREATE TRIGGER has it."""
        return f"AFTER {self.act}{f' OF {self.columns}' if self.columns else ''} ON {self.table} FOR EACH ROW"


_HOOKS = (
    Hook(table="portal_request", act="INSERT", numbers=("NEW.id",)),
    Hook(
        table="portal_request",
        act="UPDATE",
        columns="status, failure, ended_at",
        condition="NEW.status <> OLD.status OR NEW.failure <> OLD.failure",
        numbers=("NEW.id",),
    ),
    Hook(table="portal_request", act="DELETE", numbers=("OLD.id",)),
    Hook(
        table="portal_attempt",
        act="INSERT",
        condition="NEW.outcome = 'UNKNOWN' OR NEW.error <> '' OR NEW.message <> ''",
        numbers=("NEW.request_id",),
    ),
    Hook(
        table="portal_attempt",
        act="UPDATE",
        columns="outcome, error, message",
        condition="NEW.outcome = 'UNKNOWN' OR NEW.error <> '' OR NEW.message <> ''",
        numbers=("NEW.request_id",),
    ),
    Hook(
        table="portal_lateanswer",
        act="INSERT",
        condition="NEW.error <> '' OR NEW.message <> ''",
        numbers=("(SELECT a.request_id FROM portal_attempt a WHERE a.id = NEW.attempt_id)",),
    ),
    Hook(
        table="portal_workstation",
        act="INSERT",
        condition="NEW.request_id IS NOT NULL OR NEW.made_for_id IS NOT NULL",
        numbers=("NEW.request_id", "NEW.made_for_id"),
    ),
    Hook(
        table="portal_workstation",
        act="UPDATE",
        columns="request_id, made_for_id, workspace_id",
        condition=" OR ".join(
            f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in ("request_id", "made_for_id", "workspace_id")
        ),
        numbers=("NEW.request_id", "NEW.made_for_id", "OLD.request_id", "OLD.made_for_id"),
    ),
)


@transaction.atomic
def install_triggers() -> None:
    """Put the triggers that keep the entries as they must be. Nothing where the index is not there yet."""
    if "portal_searchentry" not in connection.introspection.table_names():
        return
    remove_triggers()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_write_function())
        for hook in _HOOKS:
            for statement in _write(hook):
                cursor.execute(statement)


@transaction.atomic
def remove_triggers() -> None:
    """Take them away: before a migration on SQLite, and around the filling of many rows."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        for name, table in cursor.fetchall():
            if name.startswith(_PREFIX):
                on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER {name}{on_table}")


def index_missing() -> int:
    """Make the entries of all requests that have none, in batches, each a transaction of its own.

    Where the index is new, or rows were written with the triggers off. Returns how many.
    """
    if "portal_searchentry" not in connection.introspection.table_names():
        return 0
    made, above, many = 0, 0, len(_list_missing(above=0, limit=_MANY)) == _MANY
    if many:
        drop_index()
    while numbers := _list_missing(above=above, limit=_BATCH):
        with transaction.atomic(), connection.cursor() as cursor:
            listed = ", ".join(str(number) for number in numbers)
            cursor.execute(f"{_INSERT} {_describe()} WHERE r.id IN ({listed})")
        made, above = made + len(numbers), numbers[-1]
    if many:
        make_index()
    return made


def _list_missing(*, above: int, limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id FROM portal_request r LEFT JOIN portal_searchentry e ON e.rowid = r.id"
            " WHERE r.id > %s AND e.rowid IS NULL ORDER BY r.id LIMIT %s",
            [above, limit],
        )
        return [number for (number,) in cursor.fetchall()]


def drop_index() -> None:
    """Let PostgreSQL forget the GIN index, before so many entries are made that making it anew is quicker."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX IF EXISTS search_entry_by_all")


@transaction.atomic
def make_index() -> None:
    """Make PostgreSQL's GIN index if it is not there."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
            cursor.execute(
                "CREATE INDEX IF NOT EXISTS search_entry_by_all ON portal_searchentry"
                " USING gin (tags, words gin_trgm_ops) WITH (fastupdate = off)"
            )


# --- What an entry says, in SQL ---

_INSERT = "INSERT INTO portal_searchentry (rowid, words, tags)"


def _describe() -> str:
    """SELECT of the entry of the request `r`."""
    on_sqlite = connection.vendor == "sqlite"
    words = " || ' ' || ".join(_list_words())
    tagged = _list_tags()
    if on_sqlite:
        joined = " || ".join(f"coalesce('|' || {tag}, '')" for tag in tagged)
        return f"SELECT r.id, {words}, {joined} || '|' FROM portal_request r"  # noqa: S608 (our own names)
    joined = f"array_remove(ARRAY[{', '.join(tagged)}]::text[], NULL)"
    return f"SELECT r.id, lower({words}), {joined} FROM portal_request r"  # noqa: S608 (our own names)


def _list_words() -> list[str]:
    gather = {"sqlite": "group_concat(DISTINCT {0})", "postgresql": "string_agg(DISTINCT {0}, ',')"}[connection.vendor]
    errors = " || ' ' || ".join(f"substr(a.{column}, 1, {_LONGEST_ERROR})" for column in ("error", "message"))
    return [
        "r.workspace_uid",
        "r.note",
        f"(SELECT {_NAMES} FROM portal_user u WHERE u.id = r.requester_id)",  # noqa: S608 (our own names)
        *(
            f"coalesce((SELECT {gather.format(what)} FROM {rows}), '')"  # noqa: S608 (our own names)
            for what, rows in (
                (_WORKSTATION, f"{_WORKSTATIONS} WHERE w.request_id = r.id"),
                (_WORKSTATION, f"{_WORKSTATIONS} WHERE w.made_for_id = r.id"),
                (errors, "portal_attempt a WHERE a.request_id = r.id"),
                (
                    errors,
                    "portal_lateanswer a JOIN portal_attempt o ON o.id = a.attempt_id WHERE o.request_id = r.id",
                ),
            )
        ),
    ]


_NAMES = "u.username || ' ' || u.first_name || ' ' || u.last_name"
_WORKSTATION = "w.uid || ' ' || coalesce(s.uid, '')"
_WORKSTATIONS = "portal_workstation w LEFT JOIN portal_workspace s ON s.id = w.workspace_id"


def _list_tags() -> list[str]:
    """Each an expression: the tag, or NULL where the request has none of it."""
    took = {
        "sqlite": "round((julianday(r.ended_at) - julianday(r.created_at)) * 86400000) / 1000",
        "postgresql": "extract(epoch FROM r.ended_at - r.created_at)",
    }[connection.vendor]
    was_unknown = "EXISTS (SELECT 1 FROM portal_attempt a WHERE a.request_id = r.id AND a.outcome = 'UNKNOWN')"
    return [
        *(_write_cases(column, given) for column, given in tags.TAGS.items()),
        "'p' || r.requester_id || ';'",
        f"CASE WHEN {was_unknown} THEN '{tags.WAS_UNKNOWN}' END",
        *(f"CASE WHEN {took} > {level} THEN '{tag}' END" for level, tag in tags.LEVELS.items()),
    ]


def _write_cases(column: str, given: dict[str, str]) -> str:
    other = f" ELSE {_OTHER_TYPE[connection.vendor]}" if column == "type" else ""
    return f"CASE r.{column} {' '.join(f"WHEN '{value}' THEN '{tag}'" for value, tag in given.items())}{other} END"


# As `tags.tag_value` has it: in digits, for an index of trigrams makes no difference between max and MAX.
_OTHER_TYPE = {
    "sqlite": "'y' || lower(hex(r.type)) || ';'",
    "postgresql": "'y' || encode(convert_to(r.type, 'UTF8'), 'hex') || ';'",
}


# --- How each database writes a trigger ---


def _write(hook: Hook) -> list[str]:
    when = f" WHEN ({hook.condition})" if hook.condition else ""
    if connection.vendor == "sqlite":
        return [f"CREATE TRIGGER {hook.name} {hook.event}{when} BEGIN {_write_body(hook)} END"]
    calls = " ".join(f"PERFORM portal_index_request({number});" for number in hook.numbers)
    return [
        f"CREATE OR REPLACE FUNCTION {hook.name}() RETURNS trigger LANGUAGE plpgsql"
        f" AS $body$ BEGIN {calls} RETURN NULL; END $body$",
        f"CREATE TRIGGER {hook.name} {hook.event}{when} EXECUTE FUNCTION {hook.name}()",
    ]


def _write_body(hook: Hook) -> str:
    # Not OR REPLACE: SQLite takes the statement that fired the trigger for the one that decides about conflicts.
    return " ".join(
        f"DELETE FROM portal_searchentry WHERE rowid = {number}; "  # noqa: S608 (our own names)
        f"{_INSERT} {_describe()} WHERE r.id = {number};"
        for number in dict.fromkeys(hook.numbers)
    )


def _write_function() -> str:
    """PostgreSQL's: one request's entry, made anew; of a request that is gone it goes too."""
    return f"""
        CREATE OR REPLACE FUNCTION portal_index_request(number bigint) RETURNS void LANGUAGE plpgsql AS $body$ BEGIN
            IF number IS NULL THEN RETURN; END IF;
            {_INSERT} {_describe()} WHERE r.id = number
                ON CONFLICT (rowid) DO UPDATE SET words = EXCLUDED.words, tags = EXCLUDED.tags;
            IF NOT FOUND THEN
                DELETE FROM portal_searchentry WHERE rowid = number;
            END IF;
        END $body$"""  # noqa: S608 (our own names)
