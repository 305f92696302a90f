"""People at their browsers: they fill in the form, look at its page as it polls, and look at other pages meanwhile.

All in one process, on one thread, with as little work for each answer as can be: it shares the processor with the
servers. Each call has a connection of its own, as behind a proxy that keeps none.
"""

import asyncio
import gzip
import itertools
import math
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode
from uuid import uuid4

from tests.bench.crowd.page import Page
from tests.web.clients import HOST

EVERY = 0.1  # seconds between two looks at a page, whether or not the one before was answered
_AGAIN_AFTER = 1.0  # seconds until somebody whose form was not answered sends it again
PATIENCE = 300.0  # seconds for an answer
FINAL = {"succeeded", "failed", "cancelled"}
_TOKEN = "a" * 32  # by which a form is known to be the site's own
FORM = "/requests/new/"
_AFTER_THE_FORM = f"Referer: https://{HOST}{FORM}\r\n"  # as browsers say where a form leads
_STATUS = re.compile(r'data-request-status="([a-z]+)"')
_NUMBER = re.compile(r"/requests/([0-9]+)/$")


class NotAnswered(Exception):
    """The server broke the connection, or did not answer as it should."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    head: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        is_zipped = self.head.get("content-encoding") == "gzip"
        return (gzip.decompress(self.body) if is_zipped else self.body).decode()


@dataclass(kw_only=True)
class Person:
    """Somebody who is signed in. To whatever site: each takes the cookies that it knows."""

    port: int
    session: str
    head: str = field(init=False)

    def __post_init__(self) -> None:
        own = (f"sessionid={self.session}", f"csrftoken={_TOKEN}")
        cookies = "; ".join(f"{prefix}{cookie}" for prefix in ("", "__Host-") for cookie in own)
        self.head = (
            f"Host: {HOST}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 127.0.0.9\r\nOrigin: https://{HOST}\r\n"
            f"Cookie: {cookies}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n"
        )

    async def get(self, path: str, more: str = "") -> Answer:
        """A page, or a part of it. Raises NotAnswered where it is neither there nor unchanged."""
        answer = await ask(self.port, f"GET {path} HTTP/1.1\r\n{self.head}{more}\r\n".encode())
        if answer.status not in (200, 204):
            raise NotAnswered(f"{path}: {answer.status}")
        return answer

    async def post(self, path: str, values: dict[str, str], more: str = "") -> Answer:
        body = urlencode({"csrfmiddlewaretoken": _TOKEN} | values)
        more += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        return await ask(self.port, f"POST {path} HTTP/1.1\r\n{self.head}{more}{body}".encode())

    async def load_form(self) -> None:
        await self.get(FORM)

    async def submit(self) -> int:
        values = {"submission": str(uuid4()), "type": "python", "workspace_id": "", "note": "One of the crowd"}
        answer = await self.post(FORM, values)
        found = _NUMBER.search(answer.head.get("location", ""))
        if answer.status != 302 or not found:
            raise NotAnswered(f"the form: {answer.status}")
        return int(found[1])

    async def insist(self) -> int:
        """Send the form until it is accepted."""
        while True:
            try:
                return await self.submit()
            except NotAnswered:
                await asyncio.sleep(_AGAIN_AFTER)

    async def load_and_insist(self) -> int:
        await self.load_form()
        return await self.insist()

    async def watch(self, number: int) -> float:
        """Look at the request's page until it shows how it ended; when that was."""
        page = Page()
        answer = await self.get(f"/requests/{number}/", _AFTER_THE_FORM)
        while True:
            if answer.status == 200:
                text = answer.text
                found = _STATUS.search(text)
                if found and found[1] in FINAL:
                    return time.time()
                page.read(text)
            else:
                page.quiet += 1
            await asyncio.sleep(page.wait())
            answer = await self.get(page.poll, "HX-Request: true\r\n")


async def ask(port: int, message: bytes) -> Answer:
    """One call on a connection of its own. Raises NotAnswered."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(message)
                data = await reader.read()
            finally:
                writer.close()
    except OSError as error:  # a time that is over is one, too
        raise NotAnswered(str(error)) from error
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first:
        raise NotAnswered("nothing was answered")
    fields = dict(line.lower().split(": ", 1) for line in lines if not line.lower().startswith("set-cookie"))
    if int(fields.get("content-length", len(body))) != len(body):
        raise NotAnswered("half an answer")
    return Answer(status=int(first.split()[1]), head=fields, body=body)


async def look_around(person: Person, paths: list[str], stop: asyncio.Event) -> list[float]:
    """Ask for pages at fixed times until told to stop. Seconds of each from when it was due; infinite: not answered.

    A server that stands still cannot hide it: the next page is asked for all the same.
    """
    due, looks = time.monotonic(), []
    for path in itertools.cycle(paths):
        looks.append(asyncio.create_task(_time_page(person, path, due)))
        due += EVERY
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if stop.is_set():
            break
    return await asyncio.gather(*looks)


async def _time_page(person: Person, path: str, due: float) -> float:
    try:
        await person.get(path)
    except NotAnswered:
        return math.inf
    return time.monotonic() - due
