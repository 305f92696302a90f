"""The portal as docs/production.md starts it, on SQLite, behind the nginx that docs/proxy.md configures."""

import os
import re
import secrets
import signal
import sqlite3
import ssl
import subprocess
import sys
from functools import partial
from pathlib import Path

from portal.sandbox import names
from tests import ports
from tests.chaos import stage
from tests.e2e.conftest import ROOT, manage
from tests.web.clients import HOST, Client

NGINX = "/usr/sbin/nginx"
PROGRAMS = 120  # at one time, of an address: more than of browsers
_START_WITHIN = 60.0
_AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log info;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/portal.conf;
}}
"""
# Enough for an export of some megabytes. The history's index is made by the database.
_FILL = """
from uuid import uuid4
from django.utils import timezone
from portal import models
from portal.services.key import accounts
ada, account = models.User.objects.get(), accounts.get_current_account()
models.Request.objects.bulk_create(
    models.Request(requester=ada, account=account, submission=uuid4(), type="python", status="CANCELLED",
                   ended_at=timezone.now(), took=1, note="x" * 500)
    for _ in range(6000)
)
"""


def make_environment(*, database_url: str, port: int) -> dict[str, str]:
    """What docs/production.md sets, and nothing else of ours."""
    ours = ("PORTAL_", "AGENTSTATION_", "WEB_CONCURRENCY", "DJANGO_", "SECRET_KEY", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_hex(32),
        "AGENTSTATION_API_KEY": names.DEFAULT_API_KEY,
        "ALLOWED_HOSTS": HOST,
        "CSRF_TRUSTED_ORIGINS": f"https://{HOST}",
        "PORT": str(port),
    }


class Proxied:
    """All processes. Every word that they write is in a file of the folder whose name has `log` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.api_port, self.http_port, self.tls_port = (ports.find_port() for _ in range(4))
        self._environment = make_environment(database_url=f"sqlite:///{folder}/portal.sqlite3", port=self.port)
        self._environment["PORTAL_API_PORT"] = str(self.api_port)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        self.manage("migrate", "--verbosity=0")
        self.manage("collectstatic", "--no-input", "--verbosity=0")
        self._start("api", [sys.executable, "manage.py", "api"])
        self.start_portal()
        self._write_certificate()
        self._write_configuration()
        self._start("nginx", [NGINX, "-e", f"{self.folder}/nginx-start.log", "-c", f"{self.folder}/nginx.conf"])
        for port in (self.api_port, self.tls_port):
            assert stage.wait_until(partial(stage.is_answering, port), seconds=_START_WITHIN), self.read_logs()

    def start_portal(self) -> None:
        self._start("portal", [sys.executable, "-m", "gunicorn", "portal.wsgi"])
        assert stage.wait_until(lambda: stage.is_answering(self.port), seconds=_START_WITHIN), self.read_logs()

    def end(self, name: str) -> None:
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_START_WITHIN) == 0

    def end_all(self) -> None:
        while Client.opened:
            Client.opened.pop().close()
        for name in [*self._processes]:
            self.end(name)

    def manage(self, *words: str) -> str:
        return manage(*words, environment=self._environment)

    def fill(self) -> str:
        """Make an administrator with many requests; gives a session of theirs."""
        token = self.manage("setup_link").rstrip("/").rpartition("/")[2]
        made = f"links.create_administrator(token={token!r}, username='ada', password='')"
        self.manage("shell", "-v0", "-c", f"from portal.services.people import links; {made}{_FILL}")
        session = (
            "from django.test import Client; from portal import models; c = Client();"
            " c.force_login(models.User.objects.get()); print(c.cookies['__Host-sessionid'].value)"
        )
        return self.manage("shell", "-v0", "-c", session)

    def ask_database(self, query: str) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(self.folder / "portal.sqlite3", timeout=30)
        try:
            with connection:
                return connection.execute(query).fetchall()
        finally:
            connection.close()

    def read_logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*log*")))

    @property
    def tls(self) -> ssl.SSLContext:
        """What trusts the certificate of this nginx."""
        return ssl.create_default_context(cafile=f"{self.folder}/fullchain.pem")

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as words:
            self._processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=words, stderr=words
            )

    def _write_certificate(self) -> None:
        files = ["-keyout", f"{self.folder}/privkey.pem", "-out", f"{self.folder}/fullchain.pem"]
        names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *names]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def _write_configuration(self) -> None:
        """The very file that docs/proxy.md tells of, with the ports and paths of this folder."""
        text = (ROOT / "docs" / "nginx.conf").read_text()
        for there, here in {
            "server 127.0.0.1:8000": f"server 127.0.0.1:{self.port}",
            "server 127.0.0.1:8002": f"server 127.0.0.1:{self.api_port}",
            "limit_conn programs 1000": f"limit_conn programs {PROGRAMS}",
            "listen 80": f"listen 127.0.0.1:{self.http_port}",
            "listen 443": f"listen 127.0.0.1:{self.tls_port}",
            "listen [::]:80": f"listen 127.0.0.2:{self.http_port}",  # not every machine has IPv6
            "listen [::]:443": f"listen 127.0.0.2:{self.tls_port}",
            "/etc/ssl/portal/": f"{self.folder}/",
            "/var/log/nginx/portal.log": f"{self.folder}/nginx-access.log",
        }.items():
            assert there in text
            text = text.replace(there, here)
        assert not re.search(r"/(?:etc|var)/", text.partition("\n\n")[2])
        (self.folder / "portal.conf").write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not enter this folder
        (self.folder / "nginx.conf").write_text(_AROUND.format(folder=self.folder, user=user))
