"""An issuer of OpenID Connect that can be told to lie. That which does not lie runs in the end-to-end tests."""

import base64
import gzip
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from portal import environment

CLIENT_ID, CLIENT_SECRET = "portal", "a secret of the client"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS: dict[str, Any] = {"RS256": RSA, "ES256": ec.generate_private_key(ec.SECP256R1())}
KEYS["EdDSA"] = ed25519.Ed25519PrivateKey.generate()
_JWK: dict[str, Any] = {
    "RS256": jwt.algorithms.RSAAlgorithm,
    "ES256": jwt.algorithms.ECAlgorithm,
    "EdDSA": jwt.algorithms.OKPAlgorithm,
}


class Issuer:
    def __init__(self, *, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.published = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "end_session_endpoint": f"{self.url}/end",
        }
        self.claims: dict[str, Any] = {"sub": "248289761001"}
        self.told: dict[str, Any] = {}  # by the userinfo endpoint
        self.wrong: dict[str, Any] = {}  # in the token, whatever the rest says
        self.algorithm = "RS256"
        self.sign: Any = jwt.encode
        self.key: Any = None  # another one than that which is published
        self.keys = dict(KEYS)
        self.asked: list[str] = []  # paths
        self.moved: dict[str, str] = {}  # paths, and where they lead
        self.faults: dict[str, str] = {}  # paths, and what is wrong with an answer there that is right otherwise
        self.status = 200
        self.arrived = threading.Semaphore(0)  # released once for each call
        self.hold = threading.Event()  # set: it answers
        self.hold.set()
        self._codes: dict[str, dict[str, str]] = {}

    def settings(self, **values: Any) -> dict[str, environment.Issuer]:
        given: dict[str, Any] = {"roles": {}, "can_sign_up": False, "domains": frozenset()}
        given |= {"name": "acme", "url": self.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **values}
        return {given["name"]: environment.Issuer(**given)}

    def authorize(self, address: str) -> dict[str, str]:
        """Where somebody has signed in: what the browser brings back."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def answer(self, path: str, form: dict[str, str], bearer: str) -> dict[str, Any] | None:
        self.asked.append(path)
        self.arrived.release()
        self.hold.wait(10)
        match path.partition("?")[0]:
            case "/.well-known/openid-configuration":
                return self.published
            case "/keys":
                return {"keys": [self._publish(name) for name in self.keys]}
            case "/token":
                return self._exchange(form)
            case "/userinfo" if bearer == "Bearer an access token":
                return {"sub": self.claims["sub"], **self.told}
        return None

    def _publish(self, name: str) -> dict[str, Any]:
        public: dict[str, Any] = _JWK[name].to_jwk(self.keys[name].public_key(), as_dict=True)
        return public | {"kid": self._number(name), "use": "sig", "alg": name}

    def _number(self, name: str) -> str:
        return f"{name}-{id(self.keys.get(name))}"

    def _exchange(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        if asked is None or challenge != asked["code_challenge"] or form.get("redirect_uri") != asked["redirect_uri"]:
            return None
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        if "max_age" in asked:
            claims["auth_time"] = now
        claims |= self.claims | self.wrong
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.key or self.keys.get(self.algorithm)
        token = self.sign(claims, key, self.algorithm, headers={"kid": self._number(self.algorithm)})
        return {"access_token": "an access token", "token_type": "Bearer", "id_token": token}


@contextmanager
def running() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            answer = issuer.answer(self.path, form, self.headers.get("Authorization", ""))
            body = json.dumps(answer or {"error": "invalid_request"}).encode()
            fault = issuer.faults.get(self.path)
            if moved := issuer.moved.get(self.path):
                self.send_response(307)
                self.send_header("Location", moved)
            else:
                self.send_response(issuer.status if answer else 400)
            self.send_header("Content-Type", "application/json")
            if fault == "long":
                self.send_header("Content-Encoding", "gzip")
                body = gzip.compress(body + b" " * 2**20)
            self.send_header("Content-Length", str(len(body)))
            with suppress(OSError):
                self._write(b"X: x\r\n", fault == "slow head")
                self.end_headers()
                self._write(body, fault == "slow body")

        def _write(self, text: bytes, is_slow: bool) -> None:
            self.flush_headers()
            for part in (text[:1], text[1:2], text[2:]):
                self.wfile.write(part)
                threading.Event().wait(is_slow)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuer = Issuer(port=server.server_port)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield issuer
        issuer.hold.set()
        server.shutdown()
