"""An issuer of tokens for people at the keyboard and for tests. In production nobody trusts it."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chassis.web.access import Role
from chassis.web.auth import DEVELOPMENT_ISSUER
from local import instance

ALGORITHM = "EdDSA"
AUDIENCE = "order-system"
ROLE_CLAIM = "role"
HOURS = 12.0


@dataclass(frozen=True)
class DevelopmentIssuer:
    """Its key pair is made at random on first use, and kept in `directory`."""

    directory: Path

    @classmethod
    def of_place(cls) -> "DevelopmentIssuer":
        """That of the system in this place, with Docker or without."""
        return cls(instance.place() / "auth")

    @property
    def jwks(self) -> Path:
        """The file of its public key."""
        return self.directory / "jwks.json"

    @property
    def _key_file(self) -> Path:
        return self.directory / "private.pem"

    @property
    def exists(self) -> bool:
        return self._key_file.exists()

    def environment(self) -> dict[str, str]:
        """What makes a service trust it."""
        self._key()
        return {
            "AUTH_ISSUER": DEVELOPMENT_ISSUER,
            "AUTH_JWKS": str(self.jwks),
            "AUTH_AUDIENCE": AUDIENCE,
            "AUTH_ROLE_CLAIM": ROLE_CLAIM,
        }

    def token(self, role: Role, subject: str, hours: float = HOURS) -> str:
        """It says when it ends and not when it began, so that a clock that is behind accepts it as well."""
        key = self._key()
        claims = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            ROLE_CLAIM: role.value,
            "exp": int(time.time() + hours * 3600),
        }
        return jwt.encode(claims, key, ALGORITHM, headers={"kid": _key_id(key)})

    def _key(self) -> Ed25519PrivateKey:
        """Of those who need it first at the same time, one makes it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if not self.exists:
                self._make()
        key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return key

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(self) -> None:
        """The private key comes last: once it is there, all is."""
        key = Ed25519PrivateKey.generate()
        public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        public |= {"kid": _key_id(key), "use": "sig", "alg": ALGORITHM}
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write(self.jwks, json.dumps({"keys": [public]}).encode(), 0o644)
        _write(self._key_file, pem, 0o600)


def _key_id(key: Ed25519PrivateKey) -> str:
    """Another key has another one, so services that know the old key read the keys again."""
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]


def _write(file: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` says."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as output:
        output.write(content)
    fresh.chmod(mode)  # the umask may have taken the readers away
    fresh.replace(file)
