"""Anybody can verify an export with the key: by the script that docs/audit-log.md has, and nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from portal import models
from portal.management.commands import export_audit
from portal.services.audit import seals
from tests.audit.conftest import find, prune_all

pytestmark = pytest.mark.django_db
PAGE = Path(__file__).parents[2] / "docs" / "audit-log.md"


class Script:
    """The page's script, and what it says of lines."""

    def __init__(self, folder: Path, key: str) -> None:
        (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert block.count("\n") <= 60
        self._folder, self._key = folder, key
        (folder / "verify_export.py").write_text(block)

    def run(self, lines: list[dict], checkpoint: object = None) -> tuple[int, list[str]]:
        (self._folder / "export.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        (self._folder / "checkpoint.json").write_text(json.dumps(checkpoint))
        command = [sys.executable, "-I", "verify_export.py", "export.jsonl", *["checkpoint.json"][: bool(checkpoint)]]
        environment = {"PATH": os.environ["PATH"], "PORTAL_AUDIT_KEY": self._key}
        done = subprocess.run(command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def script(tmp_path, settings) -> Script:
    return Script(tmp_path, settings.SECRET_KEY)


def is_event(line: dict) -> bool:
    return "verb" in line


def test_an_honest_export_is_well(record, script, capsys):
    call_command("export_audit")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines if is_event(line)] == [event.pk for event in record]
    assert script.run(lines, seals.describe_newest()) == (0, ["All is well; 0 events are not sealed yet"])


def test_what_is_left_after_pruning_is_well(record, seal, script, much_later):
    much_later()
    prune_all()
    assert models.Tombstone.objects.exists()
    lines = list(export_audit.walk_log())
    assert script.run(lines) == (0, [f"All is well; {models.Tombstone.objects.count()} events are not sealed yet"])
    assert find() == []
    kept = next(line for line in lines if is_event(line))
    assert script.run([line for line in lines if line != kept]) == (1, [f"event {kept['id']} was removed"])


def test_an_event_that_was_edited_is_named(record, script):
    for name in ("reason", "at", "actor_name", "request_number", "changes"):
        lines: list[dict[str, Any]] = list(export_audit.walk_log())
        edited = [line for line in lines if is_event(line)][1]
        edited[name] = [] if name == "changes" else "2020-02-02 02:02:02.000001"
        assert script.run(lines) == (1, [f"event {edited['id']} was changed"]), name


def test_events_that_were_removed_or_inserted_are_named(record, script):
    lines = list(export_audit.walk_log())
    gone, copied = lines[3], lines[8]
    damaged = [line for line in lines if line != gone]
    damaged.insert(1, copied | {"id": -5})
    assert script.run(damaged) == (
        1,
        ["event -5 was changed", f"event {gone['id']} was removed", "event -5 was inserted"],
    )


def test_seals_that_were_edited_or_removed_are_named(record, script):
    lines = list(export_audit.walk_log())
    second = next(line for line in lines if line.get("number") == 2)
    second["count"] = 1
    assert script.run(lines) == (1, ["seal 2 was changed"])
    without = [line for line in lines if line.get("number") != 2]
    code, said = script.run(without)
    assert (code, said[0]) == (1, "seal 3 does not follow seal 1: one was removed or replaced")


def test_an_end_that_was_cut_off_is_found_by_the_checkpoint(record, script):
    checkpoint = seals.describe_newest()
    lines = list(export_audit.walk_log())
    end = max(place for place, line in enumerate(lines[:-1]) if not is_event(line)) + 1
    assert script.run(lines[:end])[0] == 0
    assert script.run(lines[:end], checkpoint) == (1, [f"seal {checkpoint['number']} is not the checkpoint's"])


def test_without_the_key_nothing_fits(record, tmp_path):
    code, said = Script(tmp_path, "another key").run(list(export_audit.walk_log()))
    assert code == 1
    assert all("which was not given" in words for words in said)
