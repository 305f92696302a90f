"""Where the audit log goes in tests: a real rsyslog, and an https server that can misbehave."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import ports
from tests.agentstation import server

# Debian's rsyslog and rsyslog-openssl, which .ci/run installs.
HAS_RSYSLOG = any(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"))
_RSYSLOG = """
global(workDirectory="{folder}" maxMessageSize="70k" defaultNetstreamDriverCAFile="{authority}"
  defaultNetstreamDriverCertFile="{authority}" defaultNetstreamDriverKeyFile="{authority}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="imuxsock" sysSock.use="off")
input(type="imtcp" address="127.0.0.1" port="{port}")
input(type="imuxsock" socket="{folder}/log" useSpecialParser="off")
action(type="omfile" file="/dev/stdout" template="RSYSLOG_SyslogProtocol23Format")
"""


class Receiver:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._arrived = threading.Condition()

    def keep(self, *events: dict[str, Any]) -> None:
        with self._arrived:
            self.events += events
            self._arrived.notify_all()

    def check_ids(self, numbers: list[int], *, count: int = 0) -> None:
        """Wait for so many events; they must be these, in their order but for what came again."""
        count = count or len(numbers)
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.events) >= count, timeout=60), len(self.events)
        assert list(dict.fromkeys(int(event["id"]) for event in self.events)) == numbers
        assert len(self.events) == count


class Rsyslog(Receiver):
    def __init__(self, folder: Path, *, authority: Path) -> None:
        super().__init__()
        self.port, self.folder = ports.find_port(), folder
        (folder / "conf").write_text(_RSYSLOG.format(folder=folder, authority=authority, port=self.port))

    @contextmanager
    def running(self) -> Iterator[None]:
        (self.folder / "pid").unlink(missing_ok=True)
        command = ["/usr/sbin/rsyslogd", "-n", "-f", str(self.folder / "conf"), "-i", str(self.folder / "pid")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            reader = threading.Thread(target=self._read, args=[process.stdout])
            reader.start()
            try:
                self._await_inputs()
                yield
            finally:
                process.kill()
                reader.join()

    def _read(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.keep(json.loads(line[line.index(" workstation-portal - event - {") :].split(" - ", 2)[2]))

    def _await_inputs(self) -> None:
        """The socket comes after the port, and one of before is still there."""
        pause, at_unix = threading.Event(), str(self.folder / "log")
        while True:
            with socket.socket() as tcp, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
                if tcp.connect_ex(("127.0.0.1", self.port)) == unix.connect_ex(at_unix) == 0:
                    return
            pause.wait(0.01)


class Https(Receiver):
    """Does `acts` with the first batches, some of which are methods' names, and takes the others."""

    def __init__(self, authority: Path, *acts: str | server.Handler) -> None:
        super().__init__()
        self.heads, self.sizes = list[bytes](), list[int]()
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority)
        handlers = [getattr(self, act) if isinstance(act, str) else act for act in (*acts, "take")]
        self._server = server.Server(*(server.over_tls(context, handler) for handler in handlers))
        self.url = self._server.tls_url.removesuffix("/v1")
        self.close = self._server.close

    def take(self, connection: server.Connection) -> None:
        head, _, body = connection.read_request().partition(b"\r\n\r\n")
        events = json.loads(body)
        self.heads.append(head)
        self.sizes.append(len(events))
        self.keep(*events)
        connection.send(server.http(204))

    def hold(self, connection: server.Connection) -> None:
        connection.read_request()
        self.has_begun.set()
        assert self.may_go_on.wait(60)
        self.take(connection)
