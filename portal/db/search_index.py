"""The searchable text of each request, which the database keeps up to date by triggers of its own.

It is made of the request's workspace (its UID, or the name of a new one) and note, its requester's names, the UIDs of
what it got, and the errors of its attempts. A dozen services write one or the other of these: triggers need fewer
lines than a call in each, and nobody can forget them. Both databases run the same statements.
"""

from django.apps import apps
from django.db import connection, transaction

from portal.db import triggers

_PREFIX = "portal_find_"
_INDEX = "search_entry_by_words"
_LONGEST_ERROR = 500  # characters of each text of an error

# --- What is said in SQL ---

_NAMES = "u.username || ' ' || u.first_name || ' ' || u.last_name"
_WORKSPACE = "coalesce((SELECT s.uid FROM portal_workspace s WHERE s.id = {workspace_id}), '')"


def _join_words(row: str) -> str:
    return " || ' ' || ".join(f"{row}.{name}" for name in apps.get_model("portal.Request").WORDS)


def _fold(text: str) -> str:
    """The text as it is kept. PostgreSQL's index tells capitals apart, so what is looked for is in lower case too."""
    return f"lower({text})" if connection.vendor == "postgresql" else text


def _select_words() -> str:
    """SELECT of the text of the request `r`; what is said twice is there once."""
    error, message = (f"substr(a.{column}, 1, {_LONGEST_ERROR})" for column in ("error", "message"))
    gathered = {"sqlite": "group_concat(piece, ' ')", "postgresql": "string_agg(piece, ' ')"}[connection.vendor]
    # Not a join: before PostgreSQL knows how many workspaces there are, it would walk through all for each request.
    workspace = _WORKSPACE.format(workspace_id="w.workspace_id")
    return f"""(
        SELECT {_fold(gathered)} FROM (
            SELECT {_join_words("r")} AS piece
            UNION SELECT {_NAMES} FROM portal_user u WHERE u.id = r.requester_id
            UNION SELECT w.uid || ' ' || {workspace}
                FROM portal_workstation w WHERE w.request_id = r.id OR w.made_for_id = r.id
            UNION SELECT {error} || ' ' || {message} FROM portal_attempt a WHERE a.request_id = r.id
            UNION SELECT {error} || ' ' || {message} FROM portal_lateresponse a
                JOIN portal_attempt o ON o.id = a.attempt_id WHERE o.request_id = r.id
        ) AS pieces
    )"""  # noqa: S608 (our own names)


def _insert_new() -> str:
    """Of a request that is just being made, of which nothing else tells yet: gathering would take much longer."""
    words = _fold(f"{_join_words('NEW')} || ' ' || {_NAMES}")
    return (
        f"INSERT INTO portal_searchentry (rowid, words) SELECT NEW.id, {words}"  # noqa: S608
        " FROM portal_user u WHERE u.id = NEW.requester_id"
    )


def _append_new() -> str:
    """Of a workstation that a request has just got."""
    words = _fold(f"NEW.uid || ' ' || {_WORKSPACE.format(workspace_id='NEW.workspace_id')}")
    return (
        f"UPDATE portal_searchentry SET words = words || ' ' || {words}"  # noqa: S608
        " WHERE rowid IN (NEW.request_id, NEW.made_for_id)"
    )


def _insert_where(condition: str) -> str:
    return (
        f"INSERT INTO portal_searchentry (rowid, words) SELECT r.id, {_select_words()}"  # noqa: S608 (our own names)
        f" FROM portal_request r WHERE {condition}"
    )


def _update(numbers: str) -> str:
    return (
        f"UPDATE portal_searchentry SET words = (SELECT {_select_words()} FROM portal_request r"  # noqa: S608
        f" WHERE r.id = portal_searchentry.rowid) WHERE rowid IN ({numbers})"
    )


def list_triggers() -> list[triggers.Trigger]:
    """All of them, for the database in use."""
    says = "NEW.error <> '' OR NEW.message <> ''"
    moves = " OR ".join(f"NEW.{x} IS DISTINCT FROM OLD.{x}" for x in ("request_id", "made_for_id", "workspace_id"))
    of_late = "SELECT o.request_id FROM portal_attempt o WHERE o.id = NEW.attempt_id"
    return [
        _after("request", "INSERT", _insert_new()),
        _after("request", "DELETE", "DELETE FROM portal_searchentry WHERE rowid = OLD.id"),
        _after("attempt", "INSERT", _update("NEW.request_id"), says),
        _after("attempt", "UPDATE OF error, message", _update("NEW.request_id"), says),
        _after("lateresponse", "INSERT", _update(of_late), says),
        _after("workstation", "INSERT", _append_new()),
        _after(
            "workstation", "UPDATE", _update("NEW.request_id, NEW.made_for_id, OLD.request_id, OLD.made_for_id"), moves
        ),
    ]


def _after(table: str, act: str, statement: str, condition: str = "") -> triggers.Trigger:
    name = f"{_PREFIX}{table}_{act.partition(' ')[0].lower()}"
    return triggers.Trigger(
        name=name, table=f"portal_{table}", act=act, condition=condition, is_before=False, statement=statement
    )


# --- What is done with it ---


def install_triggers() -> None:
    """Put the triggers as they must be. Nothing where a table is not there yet."""
    if "portal_searchentry" in connection.introspection.table_names():
        triggers.install_triggers(triggers=list_triggers(), prefix=_PREFIX)


def remove_triggers() -> None:
    """Take them away: before a migration on SQLite, and around the filling of many rows."""
    triggers.remove_triggers(prefix=_PREFIX)


def index_missing() -> int:
    """Gather the texts of all requests that have none: the table is new, or the triggers were off. Returns how many."""
    if "portal_searchentry" not in connection.introspection.table_names():
        return 0
    missing = "NOT EXISTS (SELECT 1 FROM portal_searchentry e WHERE e.rowid = r.id)"
    with connection.cursor() as cursor:
        cursor.execute(_insert_where(missing))
        return int(cursor.rowcount)


def drop_index() -> None:
    """Let PostgreSQL forget its index, where making it anew is quicker than adding many texts."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX IF EXISTS {_INDEX}")


@transaction.atomic
def make_index() -> None:
    """Make PostgreSQL's index if it is not there. SQLite's is the table itself."""
    if connection.vendor == "sqlite" or "portal_searchentry" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        # Without a list of pending entries: it would make some writer pay for many, and every reader search it.
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {_INDEX} ON portal_searchentry"
            " USING gin (words gin_trgm_ops) WITH (fastupdate = off)"
        )
