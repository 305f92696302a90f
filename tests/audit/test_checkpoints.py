"""Checkpoints are delivered by themselves, each once, and again where that failed."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.utils import timezone

from portal import models
from portal.services.audit import checkpoints, seals, verify
from tests import factories

pytestmark = pytest.mark.django_db


def send() -> None:
    checkpoints.send_checkpoint(lease=factories.acquire_lease(name="checkpoint"))


class Receiver(HTTPServer):
    """An operator's server that keeps what it is sent, or refuses it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: list[dict[str, object]] = []
        self.status = 204


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status < 300:
            self.server.kept.append(body)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_each_goes_to_the_file_once_and_proves_the_log(record, alice, seal, settings, tmp_path):
    file = tmp_path / "checkpoints"
    settings.PORTAL_CHECKPOINT_URL = f"file://{file}"
    send()
    send()
    factories.submit(alice)
    seal()
    send()
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    numbers = [one["number"] for one in kept]
    assert numbers == [models.Seal.objects.count() - 1, models.Seal.objects.count()]
    assert file.stat().st_mode & 0o777 == 0o600
    for one in kept:
        assert verify.verify_log(checkpoint=seals.read_checkpoint(data=one)).findings == []


@pytest.mark.django_db(transaction=True)
def test_one_that_is_refused_is_sent_again(record, settings, receiver, caplog):
    settings.PORTAL_CHECKPOINT_URL = f"http://127.0.0.1:{receiver.server_port}/keep"
    receiver.status = 503
    send()
    assert "cannot be delivered: HTTP Error 503" in caplog.text
    receiver.status = 204
    send()
    send()
    assert [one["number"] for one in receiver.kept] == [models.Seal.objects.count()]
    assert set(receiver.kept[0]) >= {"digest", "last_event", "signature"}


def test_a_day_without_one_is_a_warning(record, settings, tmp_path):
    settings.PORTAL_CHECKPOINT_URL = f"file://{tmp_path}/missing/checkpoints"
    send()
    assert checkpoints.find_warning(now=timezone.now()) == ""
    assert "No checkpoint" in checkpoints.find_warning(now=timezone.now() + timedelta(days=2))


def test_without_the_setting_nothing_goes_anywhere(record, settings):
    settings.PORTAL_CHECKPOINT_URL = ""
    send()
    assert not models.LogCheck.objects.filter(what="SENT").exists()
