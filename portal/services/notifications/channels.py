"""The team's channels. Apprise reaches them, in a process of its own: that can be ended whatever a channel does, takes
its memory along, and sees none of the portal's secrets."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from django.utils.crypto import salted_hmac

_HOST = re.compile(r"(?:[^/?#]*@)?([0-9A-Za-z-]+\.[0-9A-Za-z.-]+|localhost)(?=[:/?#]|$)")
# What Python, proxies and certificates need.
_PASSED_ON = re.compile(
    "PATH|PYTHON.*|LD_LIBRARY_PATH|LANG|LC_.*|TZ|SSL_CERT_.*|(REQUESTS|CURL)_CA_BUNDLE|.*_proxy", re.IGNORECASE
)
LONGEST = 20.0  # seconds for all that is sent at once
# In the URLs of many others a token stands in the place of the host.
_WITH_HOST = re.compile("(http|json|xml|form|apprise|ntfy|gotify|matrix|mmost|rocket|mailto|mqtt|xmpp|nctalk)s?")


def make_fingerprint(*, url: str) -> str:
    """Names the channel; reveals nothing of its URL."""
    return salted_hmac("portal channel", url, algorithm="sha256").hexdigest()[:16]


def describe(*, url: str) -> str:
    """The URL without what may be a secret: its scheme, and the host where it has one."""
    scheme, _mark, rest = url.partition("://")
    match = _HOST.match(rest) if _WITH_HOST.fullmatch(scheme.lower()) else None
    return f"{scheme.lower()}://{match[1] if match else '…'}"


def send(*, url: str, messages: Sequence[tuple[str, str]]) -> list[str]:
    """Send titles and texts, one after the other. Returns, of those that were tried, why each was not sent; empty where
    the channel took it."""
    given = json.dumps({"url": url, "messages": [[_defuse(part) for part in message] for message in messages]})
    environment = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
    try:
        done = subprocess.run(  # noqa: S603 (a program of ours)
            [sys.executable, "-P", str(Path(__file__).with_name("apprise_program.py"))],
            input=given.encode(),
            env=environment,
            timeout=LONGEST,
            capture_output=True,
        )
        written, last = done.stdout, "not sent" if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        written, last = error.stdout or b"", "timeout"
    failures = [json.loads(line) for line in written.splitlines() if line.endswith(b'"')]
    return [*failures, last] if last and len(failures) < len(messages) else failures


def _defuse(text: str) -> str:
    """What some channel would take for markup, or for a call to everybody, stands there as plain text."""
    return text.translate({ord("<"): "‹", ord(">"): "›", ord("@"): "@\u200b", ord("["): "［"})
