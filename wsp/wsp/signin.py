"""Where the portal is and the token for it: kept in the user's config folder, or given by WSP_URL and WSP_TOKEN."""

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx2
import typer

from wsp.failures import NotSignedIn, WrongUse

_LOCAL = re.compile(r"127(\.\d{1,3}){3}|::1|(.+\.)?localhost")
_TOKEN = re.compile("[!-~]+")
_HOW = "Run `wsp login`, or set WSP_URL and WSP_TOKEN."


@dataclass(frozen=True)
class SignIn:
    url: str
    token: str = field(repr=False)


def make(*, url: str, token: str) -> SignIn:
    """Raises WrongUse, which shows no token."""
    if not _TOKEN.fullmatch(token := token.strip()):
        raise WrongUse("A token has no spaces, and only letters, digits and punctuation.")
    return SignIn(clean_url(url), token)


def clean_url(text: str) -> str:
    """The portal's address without a path. A token is sent in the clear to this machine only."""
    url = (text.strip() if "://" in text else f"https://{text.strip()}").rstrip("/").removesuffix("/v1")
    url = re.sub(r"//ws-\w{8}\.localhost\b", "//127.0.0.1", url)  # only browsers find that name of `make run`
    try:
        parts = httpx2.URL(url)
    except httpx2.InvalidURL:
        parts = httpx2.URL()
    if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo:
        raise WrongUse("The portal's address must be like https://portal.example.")
    if parts.scheme == "http" and not _LOCAL.fullmatch(parts.host):
        raise WrongUse("The portal's address must begin with https://, so that nobody on the way reads your token.")
    return url


def read_url() -> str:
    """Raises NotSignedIn."""
    if not (url := os.environ.get("WSP_URL") or _read_file().url):
        raise NotSignedIn("You are not signed in.", _HOW)
    return clean_url(url)


def read() -> SignIn:
    """Raises NotSignedIn."""
    kept, url = _read_file(), read_url()
    # The kept one is for the portal that it was given for, and no other.
    if not (token := os.environ.get("WSP_TOKEN") or (kept.token if kept.url == url else "")):
        raise NotSignedIn(f"You are not signed in to {url}.", _HOW)
    return make(url=url, token=token)


def keep(sign_in: SignIn) -> Path:
    place = _find_place()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False) as file:  # with mode 0600
        json.dump(asdict(sign_in), file)
    return Path(file.name).replace(place)


def forget() -> bool:
    """Whether there was anything."""
    was_kept = _find_place().exists()
    _find_place().unlink(missing_ok=True)
    return was_kept


def _find_place() -> Path:
    return Path(typer.get_app_dir("wsp")) / "sign-in.json"


def _read_file() -> SignIn:
    try:
        return SignIn(**json.loads(_find_place().read_text()))
    except FileNotFoundError:
        return SignIn("", "")
    except (OSError, ValueError, TypeError):
        raise NotSignedIn(f"{_find_place()} cannot be read.", _HOW) from None
