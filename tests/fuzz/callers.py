"""Who sends the generated requests: a customer, a member of staff, another service or an operator."""

from collections.abc import Mapping
from typing import Any

from chassis.web.access import Role
from local.development_issuer import DevelopmentIssuer
from local.secrets import Secrets


class Callers:
    """`secrets` has the credentials that the services take from each other."""

    def __init__(self, issuer: DevelopmentIssuer, secrets: Secrets) -> None:
        self._secrets = secrets
        self.tokens = {role: f"Bearer {issuer.token(role, f'a {role}')}" for role in Role}

    def authorization(self, service: str, operation: Mapping[str, Any]) -> str | None:
        """Of somebody who may call it, by what its `security` says; None where anybody may."""
        for requirement in operation.get("security", ()):
            if "token" in requirement:
                role = Role.CUSTOMER if Role.CUSTOMER in requirement["token"] else Role.STAFF
                return self.tokens[role]
            [caller] = requirement["service"]
            return f"Bearer {self._secrets.value(f'{service}_{caller}_TOKENS'.upper())}"
        return None
