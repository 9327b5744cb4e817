"""Which tokens count. Whatever somebody tries who has no key of the issuer, he is not known: 401."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Response
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chassis.problems import Unauthenticated
from chassis.web import tokens as module
from chassis.web.access import Access, Caller, Role, roles
from chassis.web.app import create_app
from chassis.web.fields import Body
from chassis.web.head import HeadOf
from chassis.web.routes import public_router
from chassis.web.tokens import LONGEST_SUBJECT, LONGEST_TOKEN
from harness.asgi import in_one_piece
from harness.issuer import ISSUER, LEEWAY_SECONDS, Issuer

STRANGER = ec.generate_private_key(ec.SECP256R1())
LATER = int(time.time()) + 3600
Trick = Callable[[Issuer], str]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer(tmp_path_factory.mktemp("issuer") / "jwks.json")


class Nothing(Body):
    pass


@asynccontextmanager
async def no_lifespan(_app: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture(scope="module")
async def client(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    """Of an app that answers who asked."""
    router = public_router("")

    @router.post("/me")
    async def me(body: Nothing, head: HeadOf) -> Response:
        return Response(head.caller.id)

    access = Access({"POST /me": roles(Role.CUSTOMER)}, issuer.tokens())
    app = in_one_piece(create_app("tiny", no_lifespan, {}, access, router, fast_paths=["/me"]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tiny") as client:
        yield client


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts(token: str) -> list[str]:
    return token.split(".")


def with_header(issuer: Issuer, **header: Any) -> str:
    """Properly signed by the issuer's key, whatever its header says."""
    said = {"alg": "ES256", "typ": "JWT", "kid": "first", **header}
    return signed({name: value for name, value in said.items() if value is not None}, issuer, issuer.keys["first"])


def signed(header: dict[str, Any], issuer: Issuer, key: ec.EllipticCurvePrivateKey) -> str:
    said = f"{part(header)}.{parts(issuer.token())[1]}"
    return f"{said}.{part(ECAlgorithm(ECAlgorithm.SHA256).sign(said.encode(), key))}"


def by_shared_secret(issuer: Issuer, secret: bytes) -> str:
    said = f"{part({'alg': 'HS256', 'kid': 'first'})}.{parts(issuer.token())[1]}"
    return f"{said}.{part(hmac.digest(secret, said.encode(), hashlib.sha256))}"


def public_bytes(issuer: Issuer) -> bytes:
    return issuer.keys["first"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def unsigned(issuer: Issuer, **header: Any) -> str:
    return f"{part(header)}.{parts(issuer.token())[1]}."


def own_key(**more: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True), **more}


def injected(key_id: str) -> Trick:
    """Whoever finds the key in a file, a table or at an address by its id may find one of the stranger's."""
    return lambda issuer: signed({"alg": "ES256", "kid": key_id}, issuer, STRANGER)


TRICKS: dict[str, Trick] = {
    "no algorithm": lambda issuer: unsigned(issuer, alg="none", kid="first"),
    "no algorithm, oddly written": lambda issuer: unsigned(issuer, alg="nOnE", kid="first"),
    "no algorithm, yet a signature": lambda issuer: with_header(issuer, alg="none"),
    "no algorithm named": lambda issuer: with_header(issuer, alg=None),
    "algorithms in a list": lambda issuer: with_header(issuer, alg=["ES256"]),
    "no signature": lambda issuer: ".".join([*parts(issuer.token())[:2], ""]),
    "another's signature": lambda issuer: ".".join([*parts(issuer.token())[:2], parts(issuer.token("bob"))[2]]),
    "other claims": lambda issuer: ".".join([parts(issuer.token())[0], part({"sub": "bob"}), parts(issuer.token())[2]]),
    "another issuer": lambda issuer: issuer.token(iss=f"{ISSUER}.evil"),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "issuers in a list": lambda issuer: signed_claims(issuer, iss=[ISSUER]),
    "another audience": lambda issuer: issuer.token(aud="another-system"),
    "no audience": lambda issuer: issuer.token(aud=None),
    "part of the audience": lambda issuer: issuer.token(aud="order"),
    "another key": lambda issuer: signed({"alg": "ES256", "kid": "first"}, issuer, STRANGER),
    "another algorithm": lambda issuer: with_header(issuer, alg="ES384"),
    "HS256 with the public key": lambda issuer: by_shared_secret(issuer, public_bytes(issuer)),
    "HS256 with the published key": lambda issuer: by_shared_secret(issuer, issuer.document),
    "HS256 with no secret": lambda issuer: by_shared_secret(issuer, b""),
    "expired": lambda issuer: issuer.token(exp=int(time.time() - LEEWAY_SECONDS) - 1),
    "expires never": lambda issuer: issuer.token(exp=None),
    "expires some day": lambda issuer: issuer.token(exp="some day"),
    "expires at infinity": lambda issuer: signed_claims(issuer, exp=float("inf")),
    "not yet": lambda issuer: issuer.token(nbf=LATER),
    "issued in the future": lambda issuer: issuer.token(iat=LATER),
    "a key id that is a path": injected("../../dev/null"),
    "a key id that is SQL": injected("' UNION SELECT 'key' -- "),
    "a key id that is an address": injected("http://127.0.0.1:9/jwks"),
    "a key id that is empty": injected(""),
    "a key id that is a number": lambda issuer: with_header(issuer, kid=1),
    "no key id": lambda issuer: with_header(issuer, kid=None),
    "a key brought along": lambda issuer: signed({"alg": "ES256", "kid": "own", "jwk": own_key()}, issuer, STRANGER),
    "a known id on a key brought along": lambda issuer: signed(
        {"alg": "ES256", "kid": "first", "jwk": own_key(kid="first")}, issuer, STRANGER
    ),
    "an address of keys": lambda issuer: signed(
        {"alg": "ES256", "kid": "own", "jku": "http://127.0.0.1:9/jwks"}, issuer, STRANGER
    ),
    "an extension that is critical": lambda issuer: with_header(issuer, crit=["evil"], evil=1),
    "a header that is no object": lambda _: f"{part([])}.{part({})}.{part(b'x')}",
    "a header without end": lambda _: f"{part(b'[' * 2000)}.{part({})}.{part(b'x')}",
    "claims that are no object": lambda issuer: signed_claims(issuer, as_list=True),
    "two parts": lambda issuer: ".".join(parts(issuer.token())[:2]),
    "four parts": lambda issuer: f"{issuer.token()}.x",
    "five parts": lambda issuer: f"{issuer.token()}.x.y",
    "no parts": lambda _: "..",
    "garbage": lambda _: "garbage",
    "nothing": lambda _: "",
    "letters that are none of base64": lambda issuer: f"{issuer.token()}!",
    "a space in it": lambda issuer: issuer.token().replace(".", ". ", 1),
    "two tokens": lambda issuer: f"{issuer.token()}, {issuer.token()}",
    "too long": lambda issuer: issuer.token(more="x" * LONGEST_TOKEN),
    "nobody": lambda issuer: issuer.token(sub=None),
    "an empty name": lambda issuer: issuer.token(""),
    "a name that is a number": lambda issuer: signed_claims(issuer, sub=7),
    "a name that is too long": lambda issuer: issuer.token("x" * (LONGEST_SUBJECT + 1)),
    "a name that is too long in bytes": lambda issuer: issuer.token("ü" * (LONGEST_SUBJECT // 2 + 1)),
    "a name with a line break": lambda issuer: issuer.token("alice\nbob"),
    "a name with a NUL": lambda issuer: issuer.token("alice\0"),
    "a name that turns the text around": lambda issuer: issuer.token("alice\u202e"),
    "a name that is no text": lambda issuer: issuer.token("\ud800"),
}


def signed_claims(issuer: Issuer, *, as_list: bool = False, **claims: Any) -> str:
    """What PyJWT would refuse to write."""
    good = jwt.decode(issuer.token(), options={"verify_signature": False})
    body = [1] if as_list else {**good, **claims}
    said = f"{part({'alg': 'ES256', 'kid': 'first'})}.{part(body)}"
    return f"{said}.{part(ECAlgorithm(ECAlgorithm.SHA256).sign(said.encode(), issuer.keys['first']))}"


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS.keys())
async def test_no_trick_makes_anybody_known(client: httpx.AsyncClient, issuer: Issuer, trick: Trick) -> None:
    token = trick(issuer)

    for _ in range(2):  # also when it comes again, or past FastAPI
        for url in ("/me", "/me?unusual"):
            refused = await client.post(url, json={}, headers={"Authorization": f"Bearer {token}"})
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
            assert refused.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("scheme", ["", "Bearer", "Basic ", "Bearer  ", " Bearer ", "Token ", "DPoP "])
async def test_another_scheme_is_refused(client: httpx.AsyncClient, issuer: Issuer, scheme: str) -> None:
    refused = await client.post("/me", json={}, headers={"Authorization": f"{scheme}{issuer.token()}"})

    assert refused.status_code == 401


async def test_two_authorizations_are_refused_also_if_each_is_good(client: httpx.AsyncClient, issuer: Issuer) -> None:
    good = ("Authorization", issuer.headers()["Authorization"])
    await client.post("/me", json={}, headers=[good])  # now it is remembered

    for second in (good, ("Authorization", issuer.headers("bob")["Authorization"]), ("Authorization", "nonsense")):
        assert (await client.post("/me", json={}, headers=[good, second])).status_code == 401


def padded(issuer: Issuer) -> str:
    """Nearly as long as a token may be: three bytes take four characters."""
    missing = LONGEST_TOKEN - len(issuer.token(more=""))
    return issuer.token(more="x" * (missing * 3 // 4 - 2))


GOOD: dict[str, Trick] = {
    "an ordinary one": Issuer.token,
    "one among many audiences": lambda issuer: issuer.token(aud=["another-system", "order-system"]),
    "expired within the leeway": lambda issuer: issuer.token(exp=int(time.time() - LEEWAY_SECONDS) + 10),
    "valid from within the leeway": lambda issuer: issuer.token(nbf=int(time.time() + LEEWAY_SECONDS) - 10),
    "an expiry written as text": lambda issuer: issuer.token(exp=str(LATER)),
    "an expiry beyond all clocks": lambda issuer: issuer.token(exp=10**400),
    "the longest": padded,
}


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD.keys())
async def test_a_good_token_counts_each_time_it_comes(client: httpx.AsyncClient, issuer: Issuer, make: Trick) -> None:
    token = make(issuer)

    for url in ("/me", "/me", "/me?unusual"):
        answer = await client.post(url, json={}, headers={"Authorization": f"bearer {token}"})
        assert (answer.status_code, answer.text) == (200, "alice")


@pytest.mark.parametrize("subject", ["x", "x" * LONGEST_SUBJECT, "ü" * (LONGEST_SUBJECT // 2), "auth0|4711", "Eve 🛒"])
async def test_any_name_that_can_be_kept_and_read_is_taken_as_it_is(
    client: httpx.AsyncClient, issuer: Issuer, subject: str
) -> None:
    answer = await client.post("/me", json={}, headers=issuer.headers(subject))

    assert answer.text == subject


async def test_a_remembered_token_expires_to_the_second(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, expires = issuer.tokens(), int(time.time()) + 60
    authorization = issuer.headers("alice", exp=expires)["Authorization"].encode()
    await tokens.caller(authorization)

    at = {"now": expires + LEEWAY_SECONDS - 0.001}
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: at["now"]))

    assert tokens.known(authorization) == Caller("alice", Role.CUSTOMER)
    at["now"] += 0.001
    assert tokens.known(authorization) is None


async def test_more_tokens_than_can_be_remembered_count_all_the_same(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 3)
    tokens = issuer.tokens()
    all_ = [issuer.headers(f"customer {n}")["Authorization"].encode() for n in range(8)]

    for authorization in all_ + all_:
        await tokens.caller(authorization)

        remembered = [one for one in all_ if tokens.known(one)]
        assert authorization in remembered
        assert len(remembered) <= 3


async def test_a_bad_token_is_not_remembered(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    bad = f"Bearer {issuer.token(iss='another')}".encode()

    with pytest.raises(Unauthenticated):
        await tokens.caller(bad)

    assert tokens.known(bad) is None


def weak() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
async def test_keys_that_must_not_count_are_left_out_and_the_others_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer, short, private = Issuer(tmp_path / "jwks.json"), weak(), ec.generate_private_key(ec.SECP256R1())
    secret = {"kty": "oct", "k": part(b"a secret of thirty-two bytes....")}
    bad: dict[str, Any] = {
        "shared": secret,
        "short": RSAAlgorithm.to_jwk(short.public_key(), as_dict=True),
        "private": ECAlgorithm.to_jwk(private, as_dict=True),
        "for encryption": {**own_key(), "use": "enc"},
        "of another kind": {"kty": "LWE"},
        "broken": {"kty": "RSA", "n": 5},
    }
    issuer.publish({**issuer.published, **{key_id: {**key, "kid": key_id} for key_id, key in bad.items()}})
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    tokens = issuer.tokens()

    assert (await tokens.caller(issuer.headers()["Authorization"].encode())).id == "alice"
    signers: list[tuple[str, Any, str]] = [
        ("shared", b"a secret of thirty-two bytes....", "HS256"),
        ("short", short, "RS256"),
        ("private", private, "ES256"),
        ("for encryption", STRANGER, "ES256"),
    ]
    for key_id, key, algorithm in signers:
        token = jwt.encode(claims, key, algorithm, headers={"kid": key_id})
        with pytest.raises(Unauthenticated):
            await tokens.caller(f"Bearer {token}".encode())
    assert all(repr(key_id) in caplog.text for key_id in bad)
    assert secret["k"] not in caplog.text
    assert ECAlgorithm.to_jwk(private, as_dict=True)["d"] not in caplog.text


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
async def test_keys_of_other_kinds_count_too(tmp_path: Path, algorithm: str) -> None:
    issuer = Issuer(tmp_path / "jwks.json")
    key: Any = ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)
    kind = jwt.get_algorithm_by_name(algorithm)
    issuer.publish({"it": {**kind.to_jwk(key.public_key(), as_dict=True), "kid": "it", "alg": algorithm}})
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})

    token = jwt.encode(claims, key, algorithm, headers={"kid": "it"})

    assert (await issuer.tokens().caller(f"Bearer {token}".encode())).id == "alice"
