"""What `make run` becomes ends all that it has started."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_its_processes_end_though_nobody_reads_its_lines_any_more(tmp_path):
    read, write = os.pipe()
    command = [sys.executable, "-c", "import os, signal; print(os.getpid(), flush=True); signal.pause()"]
    plan = {"parts": [{"name": "A part", "command": command}], "folder": str(tmp_path), "greeting": "It runs."}
    os.write(write, json.dumps(plan).encode())
    os.close(write)
    launcher = subprocess.Popen(
        [sys.executable, "-m", "portal.local.launcher", str(read)],
        cwd=ROOT,
        pass_fds=[read],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(read)
    assert launcher.stdout is not None
    with launcher.stdout as lines:
        pid = next(int(line) for line in lines if line.strip().isdigit())
        part = os.pidfd_open(pid)

    launcher.send_signal(signal.SIGTERM)

    launcher.wait(timeout=30)
    assert select.select([part], [], [], 0)[0], "the part has not ended"
    os.close(part)
