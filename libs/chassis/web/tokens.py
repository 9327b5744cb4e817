"""Bearer tokens: JWTs that one issuer signs for us, checked with the keys that it publishes."""

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt

from chassis.problems import Unauthenticated
from chassis.web.access import Caller, Role
from chassis.web.signing_keys import SigningKeys

REQUIRED = ["exp", "iss", "aud", "sub"]
LONGEST_SUBJECT = 128  # bytes, as the columns that keep it have
LONGEST_TOKEN = 4096
MOST_REMEMBERED = 10_000
BEARER = re.compile(rb"bearer ([\w.-]{1,%d})" % LONGEST_TOKEN, re.IGNORECASE)


class Remembered(NamedTuple):
    """Whose a token is, and when it expires in Unix seconds. `version` is that of the keys it was checked with."""

    caller: Caller
    expires: int
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
        are_fresh = self._keys.are_fresh()
        found = self._remembered.get(authorization)
        if found is None or not are_fresh or found.version != self._keys.version:
            return None
        # Expiry is an agreement of clocks with the issuer, not with the database; `jwt.decode` goes by this one as well.
        return found.caller if found.expires > time.time() - self._leeway_seconds else None

    async def caller(self, authorization: bytes) -> Caller:
        known = self.known(authorization)
        if known is not None:
            return known
        claims = await self._claims(_token_of(authorization))
        caller = Caller(_subject(claims), self._role(claims))
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[authorization] = Remembered(caller, int(claims["exp"]), self._keys.version)
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
    """Raises InvalidToken also for two headers, which come joined by a comma."""
    bearer = BEARER.fullmatch(authorization)
    if bearer is None:
        raise InvalidToken(f"Send one token of at most {LONGEST_TOKEN} characters as Authorization: Bearer ...")
    return bearer[1].decode()


def _subject(claims: Mapping[str, Any]) -> str:
    """Raises InvalidToken for one that can't be kept, or not be read by a person."""
    subject: str = claims["sub"]  # PyJWT has made sure of its type
    if not subject.isprintable() or not 0 < len(subject.encode()) <= LONGEST_SUBJECT:
        raise InvalidToken(f"The token's subject is not 1 to {LONGEST_SUBJECT} bytes of printable text")
    return subject
