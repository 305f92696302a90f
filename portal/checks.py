"""What Django's checks say beside its own: it goes on, and somebody should know."""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.conf import settings
from django.core import checks
from psycopg.conninfo import conninfo_to_dict

from portal import environment
from portal.db import describe_failure, roles


@checks.register(checks.Tags.security)
def check_files(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Warn of a secret in a file that everybody on this machine may read, as Docker and Kubernetes mount them."""
    names = environment.list_open_files()
    hint = "chmod 600, or whatever lets only the portal's user read it."
    return [
        checks.Warning(f"Everybody on this machine may read the file that {name} names.", hint=hint, id="portal.W001")
        for name in names
    ]


@checks.register(checks.Tags.security, deploy=True)
def check_hosts(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Warn where any name is the portal's: the addresses of the links that let people in are made of it."""
    sentence, hint = "ALLOWED_HOSTS takes every host.", "Name the portal's own host alone."
    return [checks.Warning(sentence, hint=hint, id="portal.W005")] if "*" in settings.ALLOWED_HOSTS else []


@checks.register(checks.Tags.security, deploy=True)
def check_bind(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Warn of plain http on a network, which is how a proxy on another machine asks."""
    if environment.is_loopback(settings.PORTAL_BIND.strip("[]")):
        return []
    sentence = "Passwords and sessions travel by plain http between the proxy and the address that PORTAL_BIND names."
    return [checks.Warning(sentence, hint="Let a tunnel such as WireGuard encrypt that network.", id="portal.W002")]


@checks.register(checks.Tags.security, deploy=True)
def check_encryption(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Warn of a connection to PostgreSQL on another machine that may be in the clear, or to whoever takes its place."""
    hint = "Add sslmode=verify-full and sslrootcert=FILE to it, as docs/production.md does."
    return [
        checks.Warning(f"{name} has no sslmode: it may be read on its way to PostgreSQL.", hint=hint, id="portal.W003")
        for name, parameters in _list_servers()
        if not parameters.get("sslmode") and _is_elsewhere(parameters)
    ]


def _list_servers() -> Iterator[tuple[str, Mapping[str, Any]]]:
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("postgresql"):
        yield "DATABASE_URL", {"host": database["HOST"], **database["OPTIONS"]}
        try:
            yield "PORTAL_LISTEN_URL", conninfo_to_dict(settings.PORTAL_LISTEN_URL)
        except psycopg.ProgrammingError:
            return  # the worker says so, which cannot use it


def _is_elsewhere(parameters: Mapping[str, Any]) -> bool:
    """Whether libpq would try a host that is no socket (a path, an abstract one, or its default) and not loopback."""
    hosts = str(parameters.get("hostaddr") or parameters.get("host") or "").split(",")
    return any(host and not host.startswith(("/", "@")) and not environment.is_loopback(host) for host in hosts)


@checks.register(checks.Tags.security, deploy=True)
def check_role(app_configs: Any, **options: Any) -> list[checks.CheckMessage]:
    """Warn where the portal could take away what protects its audit log, for then so can whoever gets hold of it."""
    try:
        if not roles.can_change_triggers():
            return []
    except psycopg.Error as error:
        # No warning: where an image is built there is no database yet.
        sentence = f"Whether the portal's role may take away the triggers is not known. {describe_failure(error)}"
        return [checks.Info(sentence, hint="Check again where the database can be used.", id="portal.I001")]
    sentence = "The portal's role owns its tables, or as good as: it may take away what protects the audit log."
    hint = "Let another role own and migrate them: docs/database.md says how."
    return [checks.Warning(sentence, hint=hint, id="portal.W004")]
