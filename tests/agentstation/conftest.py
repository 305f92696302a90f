"""The cast: a raw server, a client of it, and a certificate that nobody trusts unless told to."""

import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.agentstation import AgentStationError, Client, Reply, Workstation
from portal.agentstation.errors import NoConnection
from tests.agentstation.server import Handler, Server, answering, make_certificate, over_tls

KEY = "sk-live-0123456789abcdef"

type Fail = Callable[[Callable[[], object]], AgentStationError]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy or CA bundle of the machine that the tests run on."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*handlers: Handler) -> Server:
        servers.append(Server(*handlers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def client_of() -> Callable[..., Client]:
    def make(base_url: str, **options: float) -> Client:
        return Client(base_url=base_url, api_key=KEY, user_agent="workstation-portal/1.2.3", **options)

    return make


@pytest.fixture
def fail() -> Fail:
    """The error of a call, after a look at what every error must keep: no key and no foreign exception in it."""

    def catch(call: Callable[[], object]) -> AgentStationError:
        with pytest.raises(AgentStationError) as caught:
            call()
        error = caught.value
        assert error.__cause__ is None
        assert error.__context__ is None
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.response) + str(error)
        assert KEY not in shown
        assert "urllib3" not in str(error)
        assert "Connection(" not in str(error)
        return error

    return catch


@pytest.fixture
def fail_to_connect(client_of: Callable[..., Client], fail: Fail) -> Callable[..., AgentStationError]:
    """The error of a POST to an address, of which nothing was sent."""

    def catch(url: str, **options: float) -> AgentStationError:
        error = fail(lambda: client_of(url, **options).request_workstation(type="python"))
        assert (type(error), error.response) == (NoConnection, None)
        return error

    return catch


@pytest.fixture(params=["plain", "TLS"])
def reach(request, client_of, serve, tls, trusted) -> Callable[..., tuple[Server, Client]]:
    """Starts a server, once plain and once over TLS, and gives it with a client of it."""

    def start(handler: Handler, **options: float) -> tuple[Server, Client]:
        if request.param == "plain":
            server = serve(handler)
            return server, client_of(server.url, **options)
        server = serve(over_tls(tls, handler))
        return server, client_of(server.tls_url, **options)

    return start


@pytest.fixture
def post(client_of, serve) -> Callable[[bytes | Handler], Reply[Workstation]]:
    def send(response: bytes | Handler) -> Reply[Workstation]:
        server = serve(answering(response) if isinstance(response, bytes) else response)
        return client_of(server.url).request_workstation(type="python")

    return send


@pytest.fixture
def refuse(post, fail) -> Callable[[bytes | Handler], AgentStationError]:
    return lambda response: fail(lambda: post(response))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
