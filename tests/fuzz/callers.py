"""Who sends the generated requests: a customer, a member of staff, another service or an operator."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chassis.web.access import Role

ISSUER, AUDIENCE, KEY_ID = "urn:order-system:fuzz", "order-system", "fuzz"
LIFETIME_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Issuer:
    """Signs tokens for one run. `jwks` is the file of its public key."""

    key: Ed25519PrivateKey
    jwks: Path

    @classmethod
    def in_directory(cls, directory: Path) -> "Issuer":
        key, jwks = Ed25519PrivateKey.generate(), directory / "jwks.json"
        public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
        jwks.write_text(json.dumps({"keys": [public | {"kid": KEY_ID, "use": "sig", "alg": "EdDSA"}]}))
        return cls(key, jwks)

    def environment(self) -> dict[str, str]:
        """What makes a service trust it."""
        return {"AUTH_ISSUER": ISSUER, "AUTH_JWKS": str(self.jwks), "AUTH_AUDIENCE": AUDIENCE}

    def token(self, role: Role) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": f"a {role}", "exp": time.time() + LIFETIME_SECONDS}
        return jwt.encode(claims | {"role": role.value}, self.key, "EdDSA", headers={"kid": KEY_ID})


class Callers:
    """`environment` is that of the services, which knows the credentials that they take from each other."""

    def __init__(self, issuer: Issuer, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.tokens = {role: f"Bearer {issuer.token(role)}" for role in Role}

    def authorization(self, service: str, operation: Mapping[str, Any]) -> str | None:
        """Of somebody who may call it, by what its `security` says; None where anybody may."""
        for requirement in operation.get("security", ()):
            if "token" in requirement:
                role = Role.CUSTOMER if Role.CUSTOMER in requirement["token"] else Role.STAFF
                return self.tokens[role]
            [caller] = requirement["service"]
            return f"Bearer {self._environment[f'{service}_{caller}_TOKENS'.upper()].partition(',')[0]}"
        return None
