"""Reads settings from the environment: stripped, typed, checked; a wrong one stops the start with one line.

Each NAME may also come from the file that NAME_FILE names. django-environ by itself takes a flag's `maybe` for False, a
bad DATABASE_URL for none, a value that starts with `$` for a reference, and keeps the newline at the end of a file;
hence only its file reading and its URL parser are used, and every value is checked here.
"""

import os
import re
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import SplitResult, parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ

_source = environ.FileAwareMapping(os.environ)
# A random secret has more different characters than that, in whatever way it is written down.
_LEAST_DIFFERENT = 8
_SECRET_NAMES = ("SECRET_KEY", "PORTAL_", "AGENTSTATION_", "DATABASE_URL", "EMAIL_URL")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def stop(sentence: str) -> NoReturn:
    """End the process with one line on standard error. The sentence must not contain a value: it may be a secret."""
    raise SystemExit(f"portal: {sentence}")


def warn(sentence: str) -> None:
    print(f"portal: {sentence}", file=sys.stderr, flush=True)  # noqa: T201


def read_text(name: str, *, default: str = "") -> str:
    """The setting without surrounding white space, or the default where it is missing or empty."""
    try:
        value = str(_source.get(name, "")).strip()
    except (OSError, UnicodeDecodeError):
        stop(f"the file that {name}_FILE names cannot be read as text.")
    if any(not character.isprintable() for character in value):
        stop(f"{name} contains a line break or another character that cannot be printed.")
    return value or default


def read_secret(name: str, *, least: int = 32) -> str:
    """A secret of ours: empty, or not to be guessed, and without a comma, which separates former ones."""
    value = read_text(name)
    if not value:
        return value
    if len(value) < least or "," in value:
        stop(f"{name} needs at least {least} characters and no comma, such as `openssl rand -hex 32` prints.")
    if len(set(value)) < _LEAST_DIFFERENT or value.startswith("django-insecure-"):
        stop(f"{name} can be guessed: take a random one, such as `openssl rand -hex 32` prints.")
    return value


def list_open_files() -> list[str]:
    found = []
    for name, path in os.environ.items():
        if name.endswith("_FILE") and name.startswith(_SECRET_NAMES):
            try:
                if Path(path.strip()).stat().st_mode & stat.S_IROTH:
                    found.append(name)
            except OSError:
                continue  # read_text() says so, where it is used
    return found


def read_flag(name: str, *, default: bool) -> bool:
    value = read_text(name).lower()
    if not value:
        return default
    if value not in _WORDS:
        stop(f"{name} must be one of {', '.join(_WORDS)}.")
    return _WORDS[value]


def read_number(name: str, *, default: float, least: float, most: float) -> float:
    """A number within its limits, both included."""
    try:
        value = float(read_text(name, default=str(default)))
    except ValueError:
        stop(f"{name} must be a number.")
    if not least <= value <= most:
        stop(f"{name} must be from {least:g} to {most:g}.")
    return value


def read_whole_number(name: str, *, default: int, least: int, most: int) -> int:
    """A whole number within its limits, both included."""
    value = read_number(name, default=default, least=least, most=most)
    if not value.is_integer():
        stop(f"{name} must be a whole number.")
    return int(value)


def read_timing(name: str, default: float) -> float:
    """Seconds that rehearsals turn: from a tenth of one to 30 days."""
    return read_number(name, default=default, least=0.1, most=30 * 24 * 60 * 60)


def read_days(name: str, *, least: int, most: int) -> int | None:
    """A whole number of days within its limits, both included; None where the setting is missing or empty."""
    return read_whole_number(name, default=least, least=least, most=most) if read_text(name) else None


def read_list(name: str, *, default: str = "") -> list[str]:
    return [part.strip() for part in read_text(name, default=default).split(",") if part.strip()]


# Not *.com, which is everybody's.
_HOST = re.compile(r"(\*\.(?=[^.:]+\.))?[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*(:([0-9]{1,5}|\*))?")


def read_hosts(name: str, *, default: str) -> list[str]:
    """The hosts of a comma-separated setting, as a Content-Security-Policy names them: `*.example.com`, `host:8443`."""
    hosts = read_list(name, default=default)
    for host in hosts:
        if not _HOST.fullmatch(host):
            stop(f"{name} must be hosts, such as *.agentstation.ai, separated by commas.")
    return hosts


def is_local_url(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def read_networks(name: str, *, default: str) -> list[IPv4Network | IPv6Network]:
    """Addresses and networks, such as 10.0.0.2,10.1.0.0/16,2001:db8::/32."""
    parts = read_list(name, default=default)
    try:
        if not any("%" in part for part in parts):
            return [ip_network(part) for part in parts]
    except ValueError:
        pass
    stop(f"{name} must be addresses or networks, such as 10.0.0.2,10.1.0.0/16, without names or zones.")


def read_time_zone(name: str, *, default: str) -> str:
    value = read_text(name, default=default)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        stop(f"{name} must be the name of a time zone, such as Europe/Rome.")
    return value


def read_url(name: str, *, default: str) -> str:
    """An https URL without a slash at its end; plain http only to this machine, because a secret travels with it."""
    value = read_text(name, default=default).rstrip("/")
    parts, host = _split_url(name, value)
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        stop(f"{name} must be a URL such as https://api.agentstation.ai/v1, without a name, query or fragment.")
    if parts.scheme == "http" and not is_loopback(host):
        stop(f"{name} must start with https://: plain http would show a secret to the network.")
    return value


def read_origin(name: str, *, may_be_plain: bool) -> str:
    """The portal's own address without a slash at its end, or nothing. `may_be_plain`: by http."""
    value = read_text(name).rstrip("/")
    _split_url(name, value)
    if value and not re.fullmatch(rf"http{'s?' if may_be_plain else 's'}://[0-9A-Za-z.:\[\]-]+", value):
        stop(f"{name} must be an address such as https://portal.example, without a path.")
    return value


def read_mail(name: str, *, host: str) -> tuple[dict[str, Any], str]:
    """The mail server, as MAILERS has it, and the address that mails come from, by default at this host; or neither."""
    value = read_text(name)
    parts, server = _split_url(name, value)
    if not value:
        return {}, ""
    sender = parse_qs(parts.query).get("from", [f"portal@{host}"])[0]
    if parts.scheme not in ("smtp", "smtp+tls", "smtp+ssl") or not server or parts.path.strip("/") or "@" not in sender:
        stop(f"{name} must be smtp+tls://USER:PASSWORD@HOST:PORT?from=ADDRESS, or the same with smtp+ssl or smtp.")
    config = environ.Env.email_url_config(value)
    options = {
        "host": server,
        "port": config["EMAIL_PORT"],
        "username": config["EMAIL_HOST_USER"],
        "password": config["EMAIL_HOST_PASSWORD"],
        "use_tls": config.get("EMAIL_USE_TLS", False),
        "use_ssl": config.get("EMAIL_USE_SSL", False),
        "timeout": 60,  # seconds, for each step: some look at a mail before they answer
    }
    return {"default": {"BACKEND": config["EMAIL_BACKEND"], "OPTIONS": options}}, sender


def read_stream(name: str, *, may_be_plain: bool) -> str:
    """Where the audit log is sent, or nowhere. `may_be_plain`: by http, to this machine."""
    value = read_text(name)
    parts, host = _split_url(name, value)
    is_path = not parts.netloc and not parts.query and parts.path.startswith("/")
    is_host = bool(host) and "@" not in parts.netloc
    fits = {
        "": not value,
        "stdout": value == "stdout:",
        "file": is_path,
        "syslog+unix": is_path,
        "syslog+tls": is_host and parts.port is not None and not parts.path and not parts.query,
        "https": is_host,
        "http": may_be_plain and is_loopback(host),
    }
    if not fits.get(parts.scheme) or not value.isascii() or " " in value or "#" in value:
        forms = "stdout:, file:///FOLDER/FILE, syslog+unix:///dev/log, syslog+tls://HOST:PORT or https://HOST/PATH"
        stop(f"{name} must be {forms}.")
    return value


# Schemes of Apprise that act on this machine, or read its files, instead of reaching a service.
LOCAL_SCHEMES = frozenset(
    {"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "vapid", "windows", "exec", "file"}
)
_CHANNEL = re.compile(r"([a-z0-9][a-z0-9+.-]*)://[!-~]+", re.IGNORECASE)


def read_channels(name: str) -> list[str]:
    """The URLs of a comma-separated setting, as Apprise has them, each once."""
    urls = list(dict.fromkeys(read_list(name)))
    for url in urls:
        match = _CHANNEL.fullmatch(url)
        if not match:
            stop(f"{name} must be URLs such as slack://..., with commas between them; a comma within one is %2C.")
        if (scheme := match[1].lower()) in LOCAL_SCHEMES:
            stop(f"{name} has {scheme}://, which does not reach a service but acts on this machine.")
    return urls


def _split_url(name: str, value: str) -> tuple[SplitResult, str]:
    """The URL's parts and its host; stops the start where it is no URL."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        stop(f"{name} is not a URL.")
    return parts, parts.hostname or ""


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Where people of a company sign in, by OpenID Connect."""

    name: str
    url: str
    client_id: str
    client_secret: str
    # The portal's roles of the groups that the claim `groups` has. Empty: administrators of the portal give roles.
    roles: Mapping[str, str]
    can_sign_up: bool
    # Of the addresses that it may vouch for.
    domains: frozenset[str]

    @property
    def label(self) -> str:
        return self.name.capitalize()


_ROLES = ("members", "operators", "auditors", "administrators")


def read_issuers(name: str) -> dict[str, Issuer]:
    """The issuers that a setting lists by name, each with settings of its own: NAME_ACME_ISSUER and so on."""
    return {issuer: _read_issuer(issuer, f"{name}_{issuer.upper()}") for issuer in read_list(name)}


def _read_issuer(issuer: str, name: str) -> Issuer:
    if not re.fullmatch("[a-z][a-z0-9]{0,19}", issuer):
        stop("PORTAL_OIDC must be names of small letters and digits, such as acme, separated by commas.")
    needed = [read_text(f"{name}_{part}") for part in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")]
    if not all(needed):
        stop(f"{name}_ISSUER, {name}_CLIENT_ID and {name}_CLIENT_SECRET must all be set.")
    pairs = [entry.partition("=") for entry in read_list(f"{name}_GROUPS")]
    if not all(role.strip() in _ROLES and group.strip() for role, _, group in pairs):
        stop(f"{name}_GROUPS must be such as members=staff,operators=team-lead; the roles are {', '.join(_ROLES)}.")
    return Issuer(
        name=issuer,
        url=read_url(f"{name}_ISSUER", default=""),
        client_id=needed[1],
        client_secret=needed[2],
        roles={group.strip(): role.strip() for role, _, group in pairs},
        can_sign_up=read_flag(f"{name}_SIGN_UP", default=False),
        domains=frozenset(domain.lower() for domain in read_list(f"{name}_DOMAINS")),
    )


def read_database(name: str, *, default: str) -> dict[str, Any]:
    url = read_text(name, default=default)
    try:
        known = url.startswith(("sqlite://", "postgres://", "postgresql://"))
        config: dict[str, Any] = environ.Env.db_url_config(url) if known else {}
    except (ValueError, TypeError, KeyError):
        config = {}
    if config.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        stop(f"{name} must be sqlite:///FILE or postgres://USER:PASSWORD@HOST:PORT/NAME.")
    if config["NAME"] in ("", ":memory:"):
        stop(f"{name} must name a database that is kept: several processes use it.")
    return config


def read_address(name: str, *, default: str) -> str:
    """An address of this machine, as it stands in a URL: IPv6 in brackets, which may be missing in the setting."""
    value = read_text(name, default=default)
    try:
        address = ip_address(value[1:-1] if value.startswith("[") and value.endswith("]") else value)
    except ValueError:
        stop(f"{name} must be an address of this machine without a port, such as 10.0.0.3, 0.0.0.0 or [::].")
    return f"[{address}]" if address.version == 6 else str(address)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def count_cores(*, share: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The processor cores that this process may use: those it is bound to, or its container's share of time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, or one without a bound, which is no number
        time, period = map(int, share.read_text().split())
        cores = min(cores, max(1, time // period))
    return cores
