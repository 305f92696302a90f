"""Somebody with a token at the sandbox, which speaks the API that the portal speaks at `/v1`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from portal.sandbox.server import Sandbox
from tests.sandbox.caller import Caller
from tests.wsp.running import Ended, make_environment
from tests.wsp.serving import Answer, Told
from wsp import cli

type Run = Callable[..., Ended]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(log_every=0.01) as running:
        yield running


@pytest.fixture
def provider(sandbox) -> Iterator[Caller]:
    with Caller(sandbox.base_url) as caller:
        yield caller


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Where this test's `wsp` keeps what it keeps."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("WSP_URL", raising=False)
    monkeypatch.delenv("WSP_TOKEN", raising=False)
    return tmp_path


@pytest.fixture
def signed_in(sandbox, monkeypatch, folder) -> dict[str, str]:
    """The environment of who is signed in to the sandbox, which is also this process's."""
    values = {"WSP_URL": sandbox.url, "WSP_TOKEN": "sandbox"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return make_environment(folder, **values)


@pytest.fixture
def portal_of(signed_in, monkeypatch) -> Iterator[Callable[..., Told]]:
    """A portal that gives these answers, which this test's `wsp` is signed in to."""
    with ExitStack() as stack:

        def make(*answers: Answer) -> Told:
            portal = stack.enter_context(Told(*answers))
            monkeypatch.setenv("WSP_URL", portal.url)
            signed_in["WSP_URL"] = portal.url
            return portal

        yield make


@pytest.fixture
def run(monkeypatch, capsys) -> Run:
    """Run a command in this process."""

    def run(*words: str) -> Ended:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["wsp", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return Ended(int(ended.value.code or 0), shown.out, shown.err)

    return run
