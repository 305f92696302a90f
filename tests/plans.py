"""How the database would answer a statement, as it was sent."""

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection

LARGE = ("portal_request", "portal_attempt", "portal_event", "portal_workstation", "portal_workspace")


def list_steps(sql: str) -> list[str]:
    """SQLite's steps, in its words."""
    return [step for *_, step in _explain("QUERY PLAN", sql)]


def list_nodes(sql: str, *, analyze: bool = False) -> list[dict[str, Any]]:
    """All nodes of PostgreSQL's plan, with what each has read where it is carried out."""
    ((plan,),) = _explain(f"({'ANALYZE, ' * analyze}FORMAT JSON)", sql)
    return list(_walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def list_walked(sql: str) -> list[str]:
    """The tables, or their aliases, that are read from end to end."""
    if connection.vendor == "sqlite":
        return [step.split()[1] for step in list_steps(sql) if step.startswith("SCAN ")]
    return [node["Relation Name"] for node in list_nodes(sql) if node["Node Type"] == "Seq Scan"]


def check_page(sql: str) -> None:
    """A statement of a page of the admin walks through none of the large tables."""
    if connection.vendor == "postgresql":
        walked = list_walked(sql)
        assert not {*walked} & {*LARGE}, (sql, walked)
        return
    for step in list_steps(sql):
        # Newest first, by the number, is the order of the table itself: SQLite calls that a scan, and stops early.
        walks = step.startswith("SCAN portal_") and "USING" not in step
        assert not walks or "ORDER BY" in sql, f"{step}: {sql}"


def _explain(how: str, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {how} {sql}".replace("%", "%%"), [])
        return cursor.fetchall()


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _walk(below)
