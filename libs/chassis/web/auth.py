"""Whose tokens count, from the environment."""

import logging
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import FromEnvironment
from chassis.web.access import Access, Credentials, Rules
from chassis.web.signing_keys import SigningKeys
from chassis.web.tokens import JwtTokens

log = logging.getLogger(__name__)

DEVELOPMENT_ISSUER = "urn:order-system:development"


class AuthSettings(FromEnvironment):
    """`jwks` is the http(s) address or the file of the issuer's public keys. Without an issuer the system is open."""

    model_config = SettingsConfigDict(env_prefix="AUTH_", populate_by_name=True)

    issuer: str = ""
    jwks: str = ""
    audience: str = "order-system"
    role_claim: str = "role"
    leeway_seconds: float = Field(default=30, ge=0, le=300)

    @model_validator(mode="after")
    def fit_together(self) -> Self:
        if bool(self.issuer) != bool(self.jwks):
            raise ValueError(
                "AUTH_ISSUER needs AUTH_JWKS, the address or the file of its public keys, and the other way"
            )
        if self.environment == "production" and not self.issuer:
            raise ValueError("ENVIRONMENT=production needs AUTH_ISSUER: without one anybody may do everything")
        if self.environment == "production" and self.issuer == DEVELOPMENT_ISSUER:
            raise ValueError("ENVIRONMENT=production takes no tokens that are made for development")
        return self

    def access(self, rules: Rules, credentials: Credentials | None = None) -> Access:
        if not self.issuer:
            log.warning("AUTH_ISSUER is not set: anybody may do everything that the gateway leads to")
            return Access(rules, None, credentials)
        tokens = JwtTokens(
            SigningKeys(self.jwks),
            issuer=self.issuer,
            audience=self.audience,
            role_claim=self.role_claim,
            leeway_seconds=self.leeway_seconds,
        )
        return Access(rules, tokens, credentials)
