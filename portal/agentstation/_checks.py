"""Checks what a client is made from, in words that show no key."""

import unicodedata
from urllib.parse import urlsplit

import requests


def check_base_url(base_url: str) -> str:
    """The URL without a final slash. Whatever requests would refuse later, or change, is refused now."""
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        if usable and not parts.query and not parts.fragment:
            (parts.hostname or "").encode("idna")
            requests.Request("GET", url).prepare()
            return url
    except ValueError:
        pass
    raise ValueError("the base URL must be http(s)://host[:port][/path], without a password, query or fragment")


def check_header(what: str, text: str) -> str:
    if not text or any(ord(character) > 255 or unicodedata.category(character) == "Cc" for character in text):
        raise ValueError(f"{what} must be text without control characters, all of it in Latin-1, and not empty")
    return text
