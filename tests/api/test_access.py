"""Who is let in, to what, and in which form all else is refused."""

import logging
from datetime import timedelta

import pytest
import requests

from portal import models
from portal.models.clock import Now
from portal.services.limits import limits, throttle
from portal.services.tokens import tokens
from tests import factories
from tests.api.serving import PATIENCE, Program, read_error
from tests.tokens import make_token

pytestmark = pytest.mark.django_db(transaction=True)
# What each scope lets do, and nothing else.
SCOPES = {
    ("GET", "/workstations"): "read",
    ("GET", "/workstations/history"): "read",
    ("GET", "/workstations/types"): "read",
    ("GET", "/workstations/x"): "read",
    ("POST", "/workstations"): "request",
    ("DELETE", "/workstations/x"): "release",
    ("DELETE", "/workstations/x/release"): "release",
    **{("POST", f"/workstations/x/{kind.way.path}"): "open" for kind in models.Connection.Kind},
}
UNAUTHORIZED = (401, "Unauthorized")
WRONG = "Unauthorized - missing or invalid API key."


@pytest.mark.parametrize(("method", "path"), SCOPES)
def test_a_token_needs_the_scope_and_nothing_else(make_program, alice, hasty, method, path):
    others = set(models.Token.Scope.values) - {SCOPES[method, path]}
    answer = make_program(alice, *others).call(method, path)
    scope = SCOPES[method, path]
    assert read_error(answer) == (403, "Forbidden")
    assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    assert f"scope {scope}" in answer.json()["message"]
    event = models.Event.objects.get(verb="refused")
    assert (event.actor_name, event.target) == ("alice", f"{method} /v1{path}")
    assert not models.Request.objects.exists()
    assert make_program(alice, SCOPES[method, path]).call(method, path, json={}).status_code in (200, 400, 422)


def end(program: Program, alice: models.User) -> None:
    tokens.end_token(token=models.Token.objects.get(), by=alice)


def expire(program: Program, alice: models.User) -> None:
    models.Token.objects.update(ends_at=Now() - timedelta(seconds=1))


def deactivate(program: Program, alice: models.User) -> None:
    models.User.objects.filter(pk=alice.pk).update(is_active=False)


def move(program: Program, alice: models.User) -> None:
    models.Token.objects.update(addresses="203.0.113.0/24")


def alter(program: Program, alice: models.User) -> None:
    program.secret = program.secret[:-1] + ("a" if program.secret[-1] != "a" else "b")


@pytest.mark.parametrize(("method", "path"), SCOPES)
def test_all_that_are_refused_are_refused_alike(make_program, alice, method, path):
    """A dead token is as one that never was: nobody learns what is wrong with theirs."""

    def call(program: Program, **params: str) -> requests.Response:
        return program.call(method, path, json={"type": "python"}, params=params)

    answers = [call(make_program(secret="wsp_wrong")), call(make_program(), token=make_token(alice).text)]
    for kill in (end, expire, move, alter, deactivate):
        models.Token.objects.all().delete()
        program = make_program(alice)
        assert program.call("GET", "/workstations").status_code == 200
        kill(program, alice)
        answers.append(call(program))
    assert {(answer.status_code, answer.content, answer.headers["WWW-Authenticate"]) for answer in answers} == {
        (401, answers[0].content, "Bearer")
    }
    assert read_error(answers[0]) == UNAUTHORIZED
    assert answers[0].json()["message"] == WRONG
    assert not models.Request.objects.exists()


def test_one_for_some_networks_works_from_there(program):
    models.Token.objects.update(addresses="203.0.113.0/24")
    there = {"X-Forwarded-For": "203.0.113.9"}
    assert program.call("GET", "/workstations", there).status_code == 200
    assert program.call("GET", "/workstations", {"X-Forwarded-For": "198.51.100.1"}).status_code == 401


@pytest.mark.usefixtures("_from_outside")
def test_from_where_it_does_not_work_it_counts_as_a_wrong_one(program):
    models.Token.objects.update(addresses="203.0.113.0/24")
    answers = [program.call("GET", "/workstations", {"X-Forwarded-For": "203.0.113.9"}) for _ in range(21)]
    assert {answer.status_code for answer in answers} == {401}
    assert "Retry-After" in answers[-1].headers


NO_BEARER: list[dict[str, str]] = [
    *({"Authorization": text} for text in ("", "Bearer", "Basic {}", "{}", "Bearer {} {}", "Bearer \xe4\xff")),
    *({}, {"X-Api-Key": "{}"}, {"Cookie": "token={}; sessionid={}"}),
]


def test_nothing_but_one_bearer_counts(make_program, program, alice, sign_in):
    nobody = make_program()
    for headers in [*NO_BEARER, {"Cookie": f"sessionid={sign_in(alice).cookies['sessionid'].value}"}]:
        given = {name: value.replace("{}", program.secret).encode("latin-1") for name, value in headers.items()}
        assert read_error(nobody.call("GET", "/workstations", given)) == UNAUTHORIZED, headers
    for name in ("token", "access_token", "api_key"):
        assert read_error(nobody.call("GET", "/workstations", params={name: program.secret})) == UNAUTHORIZED, name


def test_two_bearers_are_none(program):
    assert program.ask("GET", "/v1/workstations", f"Authorization: Bearer {program.secret}") in (400, 401)


def test_unknown_paths_are_404(program, server):
    for path in ("", "/", "/workstation", "/workstations/", "/Workstations", "//workstations", "/.."):
        assert program.ask("GET", f"/v1{path}") == 404, path
    for path in ("/", "/accounts/login/", "/admin/", "/requests/", "/readyz"):  # of other parts of the portal
        answer = requests.get(f"http://127.0.0.1:{server.port}{path}", timeout=PATIENCE, allow_redirects=False)
        assert read_error(answer) == (404, "Not Found"), path


def test_no_answer_lets_in_other_sites_or_sets_a_cookie(program, make_program):
    origin = {"Origin": "https://elsewhere.example"}
    for answer in (
        program.call("GET", "/workstations", origin),
        program.call("OPTIONS", "/workstations", origin | {"Access-Control-Request-Method": "POST"}),
        make_program().call("POST", "/workstations", origin),
    ):
        assert not [name for name in answer.headers if name.lower().startswith(("access-control", "set-cookie"))]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


GARBAGE = [b"", b"{", b"[]", b'"python"', b"\xff\xfe", b"[" * 50_000, b'{"type": ' + b"9" * 5_000 + b"}"]


def test_garbage_is_refused(program):
    for body in GARBAGE:
        assert read_error(program.call("POST", "/workstations", data=body)) == (400, "Invalid Request Format"), body[:9]


def test_a_body_may_have_64_kb(program, hasty):
    for size, expected in (
        (65_536, "Service Unavailable"),
        (65_537, "Payload Too Large"),
        (10**6, "Payload Too Large"),
    ):
        body = b'{"type": "python"' + b" " * (size - 18) + b"}"
        for data in (body, iter([body[:9], body[9:]])):
            assert read_error(program.call("POST", "/workstations", data=data))[1] == expected, size


# --- Guessing ---


@pytest.fixture
def _from_outside(settings) -> None:
    """The test's own address is no proxy's."""
    settings.PORTAL_TRUSTED_PROXY = []


@pytest.mark.usefixtures("_from_outside")
def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(program, make_program):
    wrong = make_program(secret="wsp_wrong")
    answers = [wrong.call("GET", "/workstations") for _ in range(22)]
    assert {read_error(answer) for answer in answers} == {UNAUTHORIZED}
    assert ["Retry-After" in answer.headers for answer in answers[-3:]] == [False, True, True]
    row = models.Limit.objects.get(kind="token")
    assert row.count == 20
    throttle.refuse_waiting(subjects={limits.ADDRESS: "127.0.0.1"})  # nobody there is kept from signing in
    event = models.Event.objects.get(verb="sign-in-blocked")
    assert (event.target, event.detail["of"]) == ("address 127.0.0.1", "token")
    assert program.call("GET", "/workstations").status_code == 200


def test_without_a_token_nothing_is_counted(make_program):
    assert read_error(make_program().call("GET", "/workstations")) == UNAUTHORIZED
    assert not models.Limit.objects.exists()


# --- Where it came from ---


def test_the_address_is_the_one_a_trusted_proxy_names(program):
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "from-the-proxy"}
    answer = program.begin("POST", "/workstations", headers=headers, json={"type": "python"})
    program.server.await_waiting(1)
    factories.send_once()
    assert answer.result(PATIENCE).headers["X-Request-ID"] == "from-the-proxy"
    event = models.Event.objects.get(verb="submit")
    assert (event.address, event.http_request) == ("203.0.113.9", "from-the-proxy")


@pytest.mark.usefixtures("_from_outside")
def test_nobody_else_is_believed(program):
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "from-the-client"}
    assert program.call("GET", "/workstations", headers).headers["X-Request-ID"] != "from-the-client"


def test_nothing_of_a_token_is_in_a_log_or_an_event(program, make_program, alice, caplog):
    caplog.set_level(logging.DEBUG)
    program.post_and_send()
    made = make_token(alice, name="another")
    tokens.end_token(token=made.row, by=alice)
    make_program(secret=program.secret + "x").call("GET", f"/workstations/{program.secret}")
    told = [str(row) for row in (*models.Event.objects.values(), *models.Change.objects.values())]
    hashes = models.Token.objects.values_list("token_hash", flat=True)
    for secret in (program.secret, made.text, *hashes):
        assert secret not in caplog.text
        assert not [row for row in told if secret in row]
