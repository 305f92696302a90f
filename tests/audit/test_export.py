"""Anybody can verify an export with the key: by docs/verify_export.py, and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from portal import models
from portal.management.commands import export_audit
from portal.services.audit import seals
from tests.audit.conftest import find, prune_all

pytestmark = pytest.mark.django_db
SCRIPT = Path(__file__).parents[2] / "docs" / "verify_export.py"


@pytest.fixture
def verify(tmp_path, settings) -> Callable[..., tuple[int, list[str]]]:
    def verify(lines: list[dict], checkpoint: object = None, key: str = settings.SECRET_KEY) -> tuple[int, list[str]]:
        (tmp_path / "export.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        (tmp_path / "checkpoint.json").write_text(json.dumps(checkpoint))
        command = [sys.executable, "-I", str(SCRIPT), "export.jsonl", *["checkpoint.json"][: bool(checkpoint)]]
        environment = {"PATH": os.environ["PATH"], "PORTAL_AUDIT_KEY": key}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return verify


def test_an_honest_export_is_well(record, verify, capsys):
    call_command("export_audit")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines if "verb" in line] == [event.pk for event in record]
    assert verify(lines, seals.describe_newest()) == (0, ["All is well; 0 events are not sealed yet"])


def test_what_is_left_after_pruning_is_well(record, seal, verify, much_later):
    much_later()
    prune_all()
    assert models.Tombstone.objects.exists()
    lines = list(export_audit.walk_log())
    assert verify(lines) == (0, [f"All is well; {models.Tombstone.objects.count()} events are not sealed yet"])
    assert find() == []
    kept = next(line for line in lines if "verb" in line)
    assert verify([line for line in lines if line != kept]) == (1, [f"event {kept['id']} was removed"])


def test_events_that_were_edited_removed_or_inserted_are_named(record, verify):
    lines: list[dict[str, Any]] = list(export_audit.walk_log())
    for name in ("reason", "at", "actor_name", "request_number", "changes"):
        edited = [dict(line) for line in lines]
        event = [line for line in edited if "verb" in line][1]
        event[name] = [] if name == "changes" else "2020-02-02 02:02:02.000001"
        assert verify(edited) == (1, [f"event {event['id']} was changed"]), name
    gone, copied = lines[3], lines[8]
    damaged = [line for line in lines if line != gone]
    damaged.insert(1, copied | {"id": -5})
    named = ["event -5 was changed", f"event {gone['id']} was removed", "event -5 was inserted"]
    assert verify(damaged) == (1, named)
    code, said = verify(lines, key="another key")
    assert code == 1
    assert all("which was not given" in words for words in said)


def test_seals_that_were_edited_removed_or_cut_off_are_named(record, verify):
    checkpoint = seals.describe_newest()
    lines = list(export_audit.walk_log())
    end = max(place for place, line in enumerate(lines[:-1]) if "verb" not in line) + 1
    assert verify(lines[:end])[0] == 0
    assert verify(lines[:end], checkpoint) == (1, [f"seal {checkpoint['number']} is not the checkpoint's"])
    second = next(line for line in lines if line.get("number") == 2)
    second["count"] = 1
    assert verify(lines) == (1, ["seal 2 was changed"])
    code, said = verify([line for line in lines if line.get("number") != 2])
    assert (code, said[0]) == (1, "seal 3 does not follow seal 1: one was removed or replaced")
