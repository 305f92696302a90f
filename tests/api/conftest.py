"""Programs of alice's and bob's, at an API that waits for long unless a test has it wait shortly."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from portal import models
from portal.api import application
from tests import factories
from tests.api.serving import Program, Server
from tests.tokens import make_token


@pytest.fixture
def server(sandbox, settings, transactional_db) -> Iterator[Server]:
    settings.PORTAL_API_WAIT = 600
    factories.mark_baseline_scan()
    with Server() as running:
        yield running


@pytest.fixture
def make_program(server) -> Iterator[Callable[..., Program]]:
    made: list[Program] = []

    def make(person: models.User | None = None, *scopes: str, secret: str = "") -> Program:
        made.append(Program(server, make_token(person, *scopes).text if person else secret))
        return made[-1]

    yield make
    server.stop()  # whoever waits still
    for program in made:
        program.close()


@pytest.fixture
def program(make_program, alice) -> Program:
    return make_program(alice)


@pytest.fixture
def hasty(settings, server) -> None:
    """Nobody waits for long."""
    settings.PORTAL_API_WAIT = 0.1


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Threads that begin from here on wait shortly for a database that another has locked."""
    monkeypatch.setattr(application, "_PAUSE", 0.01)
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
