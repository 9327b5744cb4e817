"""Bearer tokens: JWTs that one issuer signs for us, checked with the keys that it publishes.

Only signatures by key pairs count. With a shared secret (HS256) whoever checks a token could make one, and a public key could
be passed off as the secret.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import jwt
import orjson

from chassis.problems import Unauthenticated, Unavailable
from chassis.web.access import Caller, Role

log = logging.getLogger(__name__)

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
REQUIRED = ["exp", "iss", "aud", "sub"]
LONGEST_SUBJECT = 128
LONGEST_TOKEN = 4096
MOST_REMEMBERED = 10_000
REFRESH_SECONDS = 60.0
ASK_AGAIN_SECONDS = 5.0  # for a key that isn't known: whoever makes up key ids must not make us ask for each
FETCH_SECONDS = 2.0


class SigningKeys:
    """The issuer's keys by their ids, from a JWKS at an http(s) address or in a file.

    They are read again every REFRESH_SECONDS, and when a token names one that isn't known. If that fails, those known go on.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: Mapping[str, jwt.PyJWK] | None = None
        self._content = b""
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self.version = 0  # another one when the keys are others

    async def named(self, key_id: str) -> jwt.PyJWK | None:
        """Raises Unavailable as long as no keys could be had at all."""
        if (self._keys is None or key_id not in self._keys) and self._age() > ASK_AGAIN_SECONDS:
            await asyncio.shield(self._read_again())
        if self._keys is None:
            raise Unavailable("The keys that tokens are checked with can't be had")
        return self._keys.get(key_id)

    def keep_fresh(self) -> None:
        """Whoever uses them calls it; nobody waits for it."""
        if self._age() > REFRESH_SECONDS:
            self._read_again()

    def _age(self) -> float:
        """Seconds since they were read. While they are being read the first time, those who need them wait for that."""
        is_first = self._reading is not None and self._keys is None
        return float("inf") if is_first else time.monotonic() - self._read_at

    def _read_again(self) -> asyncio.Task[None]:
        """One at a time, for all who want it."""
        if self._reading is None:
            self._read_at = time.monotonic()
            self._reading = asyncio.get_running_loop().create_task(self._read())
            self._reading.add_done_callback(self._done)
        return self._reading

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._reading = None

    async def _read(self) -> None:
        try:
            content = await self._fetch()
            keys = _usable(orjson.loads(content)["keys"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError) as error:
            log.warning("the keys of %s can't be had: %s: %s", self._source, type(error).__name__, error)
            return
        if content != self._content:
            self.version += 1
        self._keys, self._content = keys, content

    async def _fetch(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(self._source).read_bytes)
        timeout = aiohttp.ClientTimeout(FETCH_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(self._source, raise_for_status=True) as found,
        ):
            return await found.read()


def _usable(keys: list[dict[str, Any]]) -> dict[str, jwt.PyJWK]:
    """Those for signatures by key pairs. One that this version can't read is no reason to do without the others."""
    found = {}
    for key in keys:
        if key.get("use", "sig") != "sig":
            continue
        try:
            usable = jwt.PyJWK(key)
        except jwt.PyJWTError as error:
            log.warning("a key of the issuer can't be used: %s", error)
            continue
        if usable.algorithm_name in ALGORITHMS:
            found[str(usable.key_id or "")] = usable
    return found


class Remembered(NamedTuple):
    """Whose a token is, and until when, as `time.time()` has it. `version` is that of the keys it was checked with."""

    caller: Caller
    until: float
    version: int


class JwtTokens:
    """`role_claim` names the claim that says who somebody is here: a role, or a list with one among others in it."""

    def __init__(
        self, keys: SigningKeys, *, issuer: str, audience: str, role_claim: str, leeway_seconds: float
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._role_claim = role_claim
        self._leeway_seconds = leeway_seconds
        self._remembered: dict[bytes, Remembered] = {}

    def known(self, authorization: bytes) -> Caller | None:
        """Checking a signature costs more than all else that is done for an order, so a good token is remembered."""
        self._keys.keep_fresh()
        found = self._remembered.get(authorization)
        if found is None or found.until < time.time() or found.version != self._keys.version:
            return None
        return found.caller

    async def caller(self, authorization: bytes) -> Caller:
        known = self.known(authorization)
        if known is not None:
            return known
        claims = await self._claims(_token_of(authorization))
        caller = Caller(_subject(claims), self._role(claims))
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        until = claims["exp"] + self._leeway_seconds
        self._remembered[authorization] = Remembered(caller, until, self._keys.version)
        return caller

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key = await self._keys.named(str(jwt.get_unverified_header(token).get("kid", "")))
            if key is None:
                raise InvalidToken
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway_seconds,
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise InvalidToken("The token has expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise InvalidToken from error
        return claims

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest that it says. One that says none may do what anybody may."""
        said = claims.get(self._role_claim)
        names = said if isinstance(said, list) else [said]
        return next((role for role in (Role.STAFF, Role.CUSTOMER) if role.value in names), None)


class InvalidToken(Unauthenticated):
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # noqa: RUF012 - as every problem's

    def __init__(self, detail: str = "The token is not valid here") -> None:
        super().__init__(detail)


def _token_of(authorization: bytes) -> str:
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > LONGEST_TOKEN or not token.isascii():
        raise InvalidToken("Send the token as Authorization: Bearer ...")
    return token.decode()


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject.encode(errors="replace")) <= LONGEST_SUBJECT:
        raise InvalidToken(f"The token's subject is 1 to {LONGEST_SUBJECT} bytes")
    if not subject.isprintable():
        raise InvalidToken("The token's subject is printable")
    return subject
