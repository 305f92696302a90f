"""Whatever dies in the middle of a POST: one workstation for each key, and its program finds it."""

import os

import pytest
from django.db import connection

from tests.api import kills
from tests.api.kills import Told, compare

TIMES = int(os.environ.get("KILLS", "5"))


def test_whatever_dies_in_the_middle_of_a_post(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)  # PostgreSQL's server is another user's
    database = "postgres" if connection.vendor == "postgresql" else "sqlite"
    rehearsal, wrong = kills.rehearse(folder=folder, database=database, times=TIMES, seconds=3600.0, seed=1)
    assert wrong == []
    assert sum(rehearsal.kills.values()) == TIMES
    assert len(rehearsal.told.keyed) >= TIMES


def row(wish: str, status: str = "SUCCEEDED", uid: str | None = "a") -> list[object]:
    return [f'{{"name": "{wish}"}}', status, uid, ""]


@pytest.mark.parametrize(
    ("told", "books", "made"),
    [
        (Told(keyed={"x": "a"}), [row("x", uid="b")], ["b"]),
        (Told(keyed={"x": "a"}), [row("x")], ["a", "b"]),
        (Told(keyed={"x": "a"}), [row("x")], []),
        (Told(begun={"x"}), [row("x"), row("x", uid="b")], ["a", "b"]),
        (Told(begun={"x"}, refused={"x"}), [row("x")], ["a"]),
        (Told(), [row("x", "UNKNOWN", None)], []),
    ],
)
def test_what_is_wrong_is_noticed(told, books, made):
    assert compare(told, books, made)


def test_what_is_right_is_not():
    told = Told(keyed={"x": "a"}, begun={"y", "z", "lost"}, plain={"y": "b"}, refused={"z"})
    books = [row("x"), row("y", uid="b"), row("z", "CANCELLED", None), row("lost", uid="c")]
    assert compare(told, books, ["a", "b", "c"]) == []
