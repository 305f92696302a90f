"""Where the web server listens: on this machine alone, unless it is told another address."""

import pytest

from portal.local import launcher
from tests import ports


@pytest.mark.parametrize(
    ("setting", "answering", "silent"), [("", "127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.2", "127.0.0.1")]
)
def test_it_listens_at_one_address(serve, monkeypatch, setting, answering, silent):
    monkeypatch.setenv("PORTAL_BIND", setting)
    server = serve(host=answering)
    assert launcher.is_port_answering(server.port, host=answering)
    assert not launcher.is_port_answering(server.port, host=silent)


@pytest.mark.skipif(not launcher.is_port_free(ports.find_port(), host="[::1]"), reason="this machine has no IPv6")
@pytest.mark.parametrize("setting", ["[::1]", "::1"])
def test_it_listens_at_an_address_of_ipv6(serve, monkeypatch, setting):
    monkeypatch.setenv("PORTAL_BIND", setting)
    server = serve(host="[::1]")
    assert launcher.is_port_answering(server.port, host="[::1]")
    assert not launcher.is_port_answering(server.port)
    assert not launcher.is_port_free(server.port, host="[::1]")


def test_a_port_that_nobody_has_is_free():
    assert launcher.is_port_free(ports.find_port())
