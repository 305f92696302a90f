"""How PostgreSQL would answer a statement, as it was sent. SQLite has few enough rows to walk through."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from portal.db.connection import execute

LARGE = ("portal_request", "portal_attempt", "portal_event", "portal_workstation", "portal_workspace")
on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="PostgreSQL's plans")


def forbid_walks() -> None:
    """Read a table from end to end only where nothing else is possible in this transaction, few though its rows are."""
    execute("SET LOCAL enable_seqscan = off")


def list_nodes(sql: str, *, analyze: bool = False) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({'ANALYZE, ' * analyze}FORMAT JSON) {sql}".replace("%", "%%"), [])
        ((plan,),) = cursor.fetchall()
    return list(_walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def list_walked(sql: str) -> set[str]:
    return {node["Relation Name"] for node in list_nodes(sql) if node["Node Type"] == "Seq Scan"}


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _walk(below)
