"""`manage.py run_local`: the whole portal on this machine; `make run` calls it."""

import fcntl
import os
import secrets
import socket
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import connections
from django.urls import reverse

from portal.local import launcher
from portal.services.people import links


class Command(BaseCommand):
    """Prepares the database and the static files; then the launcher starts web, worker and sandbox in its place."""

    help = "Run the whole portal on this machine: web, worker and, where no API key is set, the sandbox."
    # The folder of the database is only made here, and a check would open the database before.
    requires_system_checks = []

    _listener: socket.socket | None = None  # where programs come

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.PORTAL_LOCAL:
            raise CommandError("This is only for a portal on one machine: start it with `make run`.")
        self._check_ports()
        self._lock_data()
        link = self._prepare()
        self._listen()
        launcher.hand_over(parts=self._list_parts(), folder=settings.BASE_DIR, greeting=self._describe(link))

    def _check_ports(self) -> None:
        wanted = {settings.PORT: settings.PORTAL_BIND}
        if settings.USING_SANDBOX:
            wanted[settings.SANDBOX_PORT] = "127.0.0.1"
        if settings.PORTAL_API_PORT in wanted:
            raise CommandError("PORTAL_API_PORT must differ from PORT and from the sandbox's, which is the next.")
        for number, host in wanted.items():
            if not launcher.is_port_free(number, host=host):
                raise CommandError(launcher.describe_taken(number))

    def _lock_data(self) -> None:
        """One portal at a time on one folder; the lock goes with the process."""
        try:
            settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
            self._lock = (settings.DATA_DIR / "run.lock").open("w")
            # The launcher takes the place of this process, and keeps the lock.
            os.set_inheritable(self._lock.fileno(), True)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise CommandError(f"A portal is running on {settings.DATA_DIR} already.") from None
        except OSError as error:
            raise CommandError(f"The folder {settings.DATA_DIR} cannot be used: {error.strerror}.") from None

    def _prepare(self) -> str:
        """Make the database and the static files; gives the path of the set-up link, empty where none is needed."""
        try:
            settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
            call_command("migrate", verbosity=0, interactive=False)
            call_command("collectstatic", verbosity=0, interactive=False)
            token = links.create_setup_link()
        except OSError as error:
            raise CommandError(f"The folder {settings.DATA_DIR} cannot be used: {error.strerror}.") from None
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {str(error).strip().splitlines()[0]}") from None
        finally:
            connections.close_all()
        return reverse("setup", args=[token]) if token else ""

    def _listen(self) -> None:
        """Where something else has the port, people are served all the same."""
        with suppress(OSError):
            self._listener = launcher.open_port(settings.PORTAL_API_PORT, host=settings.PORTAL_BIND)
            self._listener.set_inheritable(True)

    def _list_parts(self) -> list[launcher.Part]:
        manage = [sys.executable, os.fspath(settings.BASE_DIR / "manage.py")]
        serve = [sys.executable, "-m", "gunicorn", "portal.wsgi"]
        web = launcher.Part(name="The web server", command=serve, port=settings.PORT, host=settings.PORTAL_BIND)
        drain = settings.AGENTSTATION_TOTAL_TIMEOUT + settings.PORTAL_RECORD_MARGIN
        worker = launcher.Part(name="The worker", command=[*manage, "work"], stop_within=drain)
        others = [worker, web]
        if self._listener:
            listener = self._listener.fileno()
            command = [*manage, "api", "--bind", f"fd://{listener}"]
            others.append(launcher.Part(name="The API", command=command, listener=listener))
        if not settings.USING_SANDBOX:
            return others
        # Not by manage.py, which would load all of the portal beside it.
        number, data = settings.SANDBOX_PORT, settings.DATA_DIR / "sandbox.sqlite3"
        imitate = [sys.executable, "-m", "portal.sandbox", "--port", str(number), "--data", os.fspath(data)]
        sandbox = launcher.Part(name="The sandbox", command=imitate, port=number, nonce=secrets.token_hex(8))
        return [sandbox, *others]

    def _describe(self, link: str) -> str:
        address = f"http://{settings.PORTAL_BIND}:{settings.PORT}"
        lines = ["", f"The portal runs at {address}/", ""]
        if link:
            lines += ["Make the first administrator here, within an hour and only once:", f"  {address}{link}", ""]
        number = settings.PORTAL_API_PORT
        if self._listener:
            lines += [f"Programs use http://{settings.PORTAL_BIND}:{number}/v1 with a token.", ""]
        else:
            lines += [f"No programs are served. {launcher.describe_taken(number, setting='PORTAL_API_PORT')}", ""]
        if settings.USING_SANDBOX:
            lines += ["The sandbox is in use: no real workstation is made. README.md says how to set a real key.", ""]
        return "\n".join([*lines, "Ctrl-C stops everything."])
