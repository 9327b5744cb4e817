"""An issuer of tokens: key pairs of its own, published in a file or by a real HTTP server."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from chassis.web.access import Role
from chassis.web.auth import AuthSettings
from chassis.web.signing_keys import SigningKeys
from chassis.web.tokens import JwtTokens

ISSUER = "https://issuer.test"
AUDIENCE = "order-system"
LEEWAY_SECONDS = 30.0


class Issuer:
    """Signs with a key of its own; `published` is what it tells of its keys, by their ids."""

    def __init__(self, jwks: Path) -> None:
        self.jwks = jwks
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.published: dict[str, dict[str, Any]] = {}
        self.add("first")

    def add(self, key_id: str) -> None:
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())
        public = ECAlgorithm.to_jwk(self.keys[key_id].public_key(), as_dict=True)
        self.publish({**self.published, key_id: {**public, "kid": key_id, "use": "sig", "alg": "ES256"}})

    def publish(self, keys: dict[str, dict[str, Any]]) -> None:
        self.published = keys
        self.jwks.write_bytes(self.document)

    @property
    def document(self) -> bytes:
        return json.dumps({"keys": list(self.published.values())}).encode()

    def token(self, subject: str = "alice", role: Any = Role.CUSTOMER, *, key_id: str = "first", **claims: Any) -> str:
        """A good one for five minutes. `claims` are added, and those that are None left out."""
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "role": role, "exp": int(time.time()) + 300, **claims}
        given = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(given, self.keys[key_id], "ES256", headers={"kid": key_id})

    def headers(self, subject: str = "alice", role: Any = Role.CUSTOMER, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(subject, role, **claims)}"}

    def settings(self) -> AuthSettings:
        return AuthSettings(issuer=ISSUER, jwks=str(self.jwks))

    def tokens(self, source: str | None = None) -> JwtTokens:
        """What checks its tokens, by the file or by what is published at `source`."""
        return JwtTokens(
            SigningKeys(source or str(self.jwks)),
            issuer=ISSUER,
            audience=AUDIENCE,
            role_claim="role",
            leeway_seconds=LEEWAY_SECONDS,
        )


class KeyServer(ThreadingHTTPServer):
    """Publishes what its issuer does, or what it says `instead`, or where it `leads_to`; 503 while it `is_away`.

    `asked` counts the questions.
    """

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = issuer
        self.url = f"http://127.0.0.1:{self.server_address[1]}/jwks"
        self.asked = 0
        self.is_away = False
        self.instead: bytes | None = None
        self.leads_to: str | None = None

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked += 1
        content = b"" if self.server.leads_to else self.server.instead or self.server.issuer.document
        self.send_response(503 if self.server.is_away else 302 if self.server.leads_to else 200)
        self.send_header("Content-Length", str(len(content)))
        if self.server.leads_to:
            self.send_header("Location", self.server.leads_to)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


@contextmanager
def publishing(issuer: Issuer) -> Iterator[KeyServer]:
    server = KeyServer(issuer)
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
