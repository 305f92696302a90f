"""Debian's Firefox as Playwright wants it; Playwright runs this file in its place.

Playwright speaks WebDriver BiDi with a Firefox that is not its own, still as an experiment, and begins each profile
with the media it emulates. Firefox ESR 153 does not know that command, so what stands between them says that it was
done. Once Debian's Firefox knows `emulation.setMediaFeaturesOverride`, Playwright can run it itself.
"""

import asyncio
import json
import re
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

FIREFOX = "/usr/bin/firefox-esr"
NOT_KNOWN = "emulation.setMediaFeaturesOverride"
# A message may hold a whole page.
AS_IT_IS: dict[str, Any] = {"max_size": None, "compression": None}


def launch(playwright: Playwright, folder: Path, **preferences: str | float | bool) -> Browser:
    """Start Firefox through this file; `folder` holds the program that Playwright is told to run."""
    assert Path(FIREFOX).exists(), "Firefox is missing; on Debian: apt install firefox-esr"
    program = folder / "firefox"
    program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, __file__])} "$@"\n')
    program.chmod(0o700)
    return playwright.firefox.launch(
        channel="moz-firefox", executable_path=program, firefox_user_prefs=preferences, timeout=180_000
    )


async def stand_between(address: str, playwright: ServerConnection) -> None:
    assert playwright.request is not None
    async with connect(address + playwright.request.path, **AS_IT_IS) as firefox, asyncio.TaskGroup() as both:
        both.create_task(pass_answers(firefox, playwright))
        both.create_task(pass_commands(playwright, firefox))


async def pass_answers(firefox: Any, playwright: Any) -> None:
    async for message in firefox:
        await playwright.send(message)
    await playwright.close()


async def pass_commands(playwright: Any, firefox: Any) -> None:
    async for message in playwright:
        command = json.loads(message)
        if command["method"] == NOT_KNOWN:
            await playwright.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
        else:
            await firefox.send(message)
    await firefox.close()


async def run() -> None:
    """Start Firefox and say what it says, with an address of our own for its own, until it ends."""
    firefox = await asyncio.create_subprocess_exec(FIREFOX, *sys.argv[1:], stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr is not None
    async for line in firefox.stderr:
        text = line.decode()
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", text):
            server = await serve(partial(stand_between, found[1]), "127.0.0.1", 0, **AS_IT_IS)
            port = server.sockets[0].getsockname()[1]
            text = text.replace(found[1], f"ws://127.0.0.1:{port}")
        sys.stderr.write(text)
        sys.stderr.flush()
    await firefox.wait()


if __name__ == "__main__":
    asyncio.run(run())
