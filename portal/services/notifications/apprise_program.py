"""Run by channels.py as a process of its own: reads a URL and messages, and sends them by Apprise.

For each it writes a line of JSON: why it was not sent, or an empty text. Nothing that it writes may hold a secret.
"""

import json
import re
import resource
import sys
from typing import Any

import apprise

_MEMORY = 1 << 30  # bytes: a response without end must not take the machine's
_STATUS = re.compile(r"error=(\d{3})\b")


def _load(url: str) -> apprise.Apprise:
    """Empty where Apprise knows no such URL. What the URL says of redirects, retries and times does not count."""
    asset = apprise.AppriseAsset(app_id="Workstation portal", http_redirects=False, async_mode=False, service_timeout=0)
    loaded, service = apprise.Apprise(asset=asset), apprise.Apprise.instantiate(url, asset=asset)
    if service is not None:
        service.redirects, service.optional, service.retry = False, False, 0
        service.socket_connect_timeout, service.socket_read_timeout = 4.0, 8.0  # seconds
        loaded.add(service)
    return loaded


def _send(sender: apprise.Apprise, title: str, body: str) -> str:
    result: Any = sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    said = " ".join(entry.message for entry in result.logs())
    if not result and (status := _STATUS.search(said)):
        return f"HTTP {status[1]}"
    return "" if result else "no connection" if "onnection error" in said else "not sent"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    given = json.load(sys.stdin)
    sender = _load(given["url"])
    for message in given["messages"]:
        print(json.dumps(_send(sender, *message) if sender else "unknown URL"), flush=True)  # noqa: T201
