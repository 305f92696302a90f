"""A mail server: it takes mails, or does what a test says instead."""

import socketserver
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self, cast


class MailServer(socketserver.ThreadingTCPServer):
    """`replies`: what it says to a command instead of OK; empty: it hangs up. `going_on`: while it is not set, it says
    nothing at all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mails: list[EmailMessage] = []
        self.texts: list[str] = []  # of them, as they came
        self.replies: dict[str, str] = {}
        self.connections = 0
        self.before_mail: Callable[[], object] = lambda: None
        self.going_on, self.has_mail, self.has_ended = (threading.Event() for _ in range(3))
        self.going_on.set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}?from=portal@team.example"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.going_on.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast("MailServer", self.server)
        server.connections += 1
        self._say("220 mail.example")
        for line in self.rfile:
            command = line.decode().strip().upper()
            word = next((word for word in server.replies if command.startswith(word)), "")
            if word:
                if not server.replies[word]:
                    return
                self._say(server.replies[word])
            elif command == "DATA":
                self._say("354 go on")
                self._take_mail(server)
            else:
                self._say("221 bye" if command == "QUIT" else "250 ok")
            if command == "QUIT":
                break
        server.has_ended.set()

    def _take_mail(self, server: MailServer) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        server.before_mail()
        server.texts.append(b"".join(lines).decode("ascii"))
        server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
        server.has_mail.set()
        self._say("250 taken")

    def _say(self, text: str) -> None:
        cast("MailServer", self.server).going_on.wait()
        self.wfile.write(f"{text}\r\n".encode())
