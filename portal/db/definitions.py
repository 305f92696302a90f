"""How the database's tables are defined, and whether that is still as the migrations made them.

Who may change a table can make it another one under the same name: with a type or a condition that lets rows vanish as
they are written, a default that calls a function, a view. So every definition is compared with those of a new database,
which lie beside the migrations: `write_definitions` writes them.
"""

import json
from collections.abc import Iterable
from functools import cache
from itertools import takewhile
from pathlib import Path

from django.db import connection

from portal.db import triggers

_FOLDER = Path(__file__).parent.parent / "migrations"
_CONTEXT, _LONGEST = 20, 100  # characters: before the first difference, and altogether
# Table, part of it, and how that is defined.
_READ = {
    # SQLite takes a type in any case, and up to a zero byte. What the search keeps its index in, it defines by itself.
    "sqlite": """
        SELECT CAST(lower(tbl_name) AS BLOB),
            CAST(CASE type WHEN 'table' THEN type ELSE type || ' ' || name END AS BLOB),
            CAST(coalesce(sql, '') AS BLOB)
        FROM sqlite_master WHERE type <> 'trigger' AND NOT (type = 'index' AND sql IS NULL)
        AND NOT (type = 'table' AND (name GLOB 'sqlite_*' OR name IN (
            'portal_searchentry_data', 'portal_searchentry_idx', 'portal_searchentry_content',
            'portal_searchentry_docsize', 'portal_searchentry_config'
        )))
    """,
    "postgresql": r"""
        WITH ours AS (
            SELECT c.* FROM pg_catalog.pg_class c
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid)
            AND c.relname ~ '^(portal|django|auth)_'
        )
        SELECT o.relname, 'table', concat_ws(
            ' ', o.relkind, o.relpersistence, m.amname, CASE WHEN o.relrowsecurity THEN 'row security' END,
            CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = o.oid) THEN 'rules' END,
            CASE WHEN EXISTS (
                SELECT FROM pg_catalog.pg_inherits h WHERE o.oid IN (h.inhparent, h.inhrelid)
            ) THEN 'inheritance' END
        ) FROM ours o LEFT JOIN pg_catalog.pg_am m ON m.oid = o.relam
        UNION ALL SELECT o.relname, 'column ' || a.attname, concat_ws(
            ' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
            CASE WHEN a.attnotnull THEN 'NOT NULL' END, nullif(a.attidentity::text, ''),
            nullif(a.attgenerated::text, ''), 'DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        ) FROM ours o JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
        -- A list of texts is written with other casts once it was dumped and restored.
        UNION ALL SELECT o.relname, 'constraint ' || k.conname, pg_catalog.regexp_replace(
            pg_catalog.pg_get_constraintdef(k.oid, true), '::(character varying|text)(\[\])?', '', 'g'
        ) FROM ours o JOIN pg_catalog.pg_constraint k ON k.conrelid = o.oid AND k.contype <> 'n'
        UNION ALL SELECT o.relname, 'sequence', concat_ws(' ', s.seqincrement, s.seqcache, s.seqcycle)
        FROM ours o JOIN pg_catalog.pg_depend d ON d.refobjid = o.oid AND d.deptype = 'i'
            AND d.refclassid = 'pg_catalog.pg_class'::regclass
            JOIN pg_catalog.pg_sequence s ON s.seqrelid = d.objid
        -- One that is being built beside the former is neither valid nor, mostly, unique.
        UNION ALL SELECT o.relname, 'index ' || i.relname, pg_catalog.regexp_replace(
            pg_catalog.pg_get_indexdef(x.indexrelid, 0, true), '::(character varying|text)(\[\])?', '', 'g'
        ) FROM ours o JOIN pg_catalog.pg_index x ON x.indrelid = o.oid AND (x.indisvalid OR x.indisunique)
            JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    """,
}

type _Definitions = dict[str, dict[str, str]]


def find_differences() -> list[str]:
    """What is defined otherwise than the migrations did, as sentences. All of SQLite's file is the portal's."""
    if applied := _list_applied() ^ {path.stem for path in _FOLDER.glob("0*.py")}:
        return [f"The database is of another version of the portal (migrations: {', '.join(sorted(applied))})."]
    present, expected = _read_definitions(), _load_definitions(connection.vendor)
    others = sorted(present.keys() - expected.keys()) if connection.vendor == "sqlite" else []
    return [
        *(
            f"{table} is not the table that the portal made: {words}."
            for table, parts in expected.items()
            for words in _compare(present.get(table, {}), parts)
        ),
        *(f"{table} is no table of the portal's: it has {', '.join(sorted(present[table]))}." for table in others),
    ]


def write_definitions() -> None:
    """Take the definitions of the database in use for those of a new one. Tables of others are in them, too."""
    _find_file(connection.vendor).write_text(json.dumps(_read_definitions(), indent=1, sort_keys=True) + "\n")


def _compare(found: dict[str, str], expected: dict[str, str]) -> Iterable[str]:
    for part in sorted(found.keys() | expected.keys()):
        if part not in found:
            yield f"its {part} is missing"
        elif part not in expected:
            yield f"its {part} is another's ({_cut(found[part], at=0)})"
        elif found[part] != expected[part]:
            at = sum(
                1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(found[part], expected[part], strict=False))
            )
            yield f"its {part} has {_cut(found[part], at=at)} for {_cut(expected[part], at=at)}"


def _cut(text: str, *, at: int) -> str:
    """The text from there."""
    begin = max(0, at - _CONTEXT)
    end = begin + _LONGEST
    return f"“{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}”"


def _list_applied() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = 'portal'")
        return {name for (name,) in cursor.fetchall()}


def _read_definitions() -> _Definitions:
    definitions: _Definitions = {}
    for table, part, definition in triggers.read_catalog(_READ[connection.vendor]):
        definitions.setdefault(table, {})[part] = definition
    return definitions


@cache
def _load_definitions(vendor: str) -> _Definitions:
    definitions: _Definitions = json.loads(_find_file(vendor).read_text())
    return definitions


def _find_file(vendor: str) -> Path:
    return _FOLDER / f"tables.{vendor}.json"
