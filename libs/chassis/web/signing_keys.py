"""The keys with which an issuer signs its tokens: read when they are needed, and again all the time, because they change."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import orjson

from chassis.problems import Unavailable

log = logging.getLogger(__name__)

# Only signatures by key pairs count. With a shared secret (HS256) whoever checks a token could make one, and a public key
# could be passed off as the secret.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
REFRESH_SECONDS = 30.0  # after this they are read again, while those known go on
STALE_SECONDS = 60.0  # after this nobody goes by them before that was tried: a key may have been taken back long ago
ASK_AGAIN_SECONDS = 5.0  # for a key that isn't known: whoever makes up key ids must not make us ask for each
FETCH_SECONDS = 2.0

Keys = Mapping[str, jwt.PyJWK]


class SigningKeys:
    """By their ids, from a JWKS at an http(s) address or in a file. If that can't be read, those known go on."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: Keys | None = None
        self._content = b""
        self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self.version = 0  # another one when the keys are others

    async def named(self, key_id: str) -> jwt.PyJWK | None:
        """Raises Unavailable as long as no keys could be had at all."""
        is_known = self._keys is not None and key_id in self._keys
        if self._age() > (STALE_SECONDS if is_known else ASK_AGAIN_SECONDS):
            await asyncio.shield(self._read_again())
        if self._keys is None:
            raise Unavailable("The keys that tokens are checked with can't be had")
        return self._keys.get(key_id)

    def are_fresh(self) -> bool:
        """Whether they need not be read again first. It is begun before they are stale, so that nobody waits for it."""
        age = self._age()
        if age > REFRESH_SECONDS:
            self._read_again()
        return age <= STALE_SECONDS

    def _age(self) -> float:
        """Seconds since reading them last ended, well or not."""
        return time.monotonic() - self._tried_at

    def _read_again(self) -> asyncio.Task[None]:
        """One at a time, for all who want it."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        try:
            content = await self._fetch()
            keys = _usable(orjson.loads(content)["keys"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError) as error:
            log.warning("the keys at %s can't be had: %s: %s", self._source, type(error).__name__, error)
        else:
            self.version += content != self._content
            self._keys, self._content = keys, content
        finally:
            self._tried_at = time.monotonic()
            self._reading = None

    async def _fetch(self) -> bytes:
        """From nowhere but there: redirects are not followed."""
        if not self._source.startswith(("http://", "https://")):
            return await asyncio.to_thread(Path(self._source).read_bytes)
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(FETCH_SECONDS)) as http,
            http.get(self._source, raise_for_status=True, allow_redirects=False) as found,
        ):
            return await found.read()


def _usable(published: Sequence[Any]) -> Keys:
    """One that can't be used is no reason to do without the others. Of such a one only the id is told: it may be secret."""
    found = {}
    for key in published:
        try:
            usable = _signing_key(key)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            key_id = key.get("kid") if isinstance(key, dict) else None
            log.warning("the issuer's key %r can't be used: %s", key_id, type(error).__name__)
            continue
        found[str(usable.key_id or "")] = usable
    return found


def _signing_key(key: Mapping[str, Any]) -> jwt.PyJWK:
    """Raises Unusable, and what PyJWT raises for what is no key at all."""
    usable = jwt.PyJWK(dict(key))
    if key.get("use", "sig") != "sig" or usable.algorithm_name not in ALGORITHMS:
        raise NotForSigning
    if "d" in key:
        raise PrivateKey
    if usable.Algorithm.check_key_length(usable.key):
        raise TooShort
    return usable


class Unusable(ValueError):
    """Its kind is what the log says."""


class NotForSigning(Unusable):
    """It encrypts, or is a shared secret."""


class PrivateKey(Unusable):
    """Whoever can read it can make tokens."""


class TooShort(Unusable):
    """RSA below 2048 bits."""
