"""Who may call which route. What no rule speaks of is denied: an app with such a route doesn't start.

A service's rules stand in its `access.py`. Public routes ask for a bearer token, private ones for the credential of a
service. Without an issuer of tokens the public routes are open to anybody.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fastapi import FastAPI
from fastapi.routing import APIRoute

from chassis.problems import Forbidden, Unauthenticated, Unprocessable


class Role(StrEnum):
    CUSTOMER = "customer"  # places orders, and has to do with these only
    STAFF = "staff"  # manages products and looks after all orders


@dataclass(frozen=True)
class Caller:
    """Who asks: by a token's subject and role, or as a service by its name. Nobody in particular has the empty id."""

    id: str
    role: Role | None = None

    def may_see(self, customer: str) -> bool:
        """Whether what belongs to `customer` exists for this caller."""
        return self.role is not Role.CUSTOMER or self.id == customer


NOBODY = Caller("")
EVERYBODY = Caller("", Role.STAFF)  # where nobody need say who he is

OPERATOR = "operator"  # the one service by which people act, and which says who does
PERSON = re.compile(rb"[A-Za-z0-9._@+-]{1,64}")


def operator(person: bytes | None) -> Caller:
    """The operator, with the login name of the person whose hand it is. Raises Unprocessable for what is no such name."""
    if person is None:
        return Caller(OPERATOR)
    if not PERSON.fullmatch(person):
        raise Unprocessable("X-Acting-For is a login name: 1 to 64 letters, digits and ._@+-")
    return Caller(f"{OPERATOR} {person.decode()}")


@dataclass(frozen=True)
class Rule:
    """Who may: those whose token says one of `roles`, these `services`, or, where neither is named, anybody."""

    roles: frozenset[Role] = frozenset()
    services: frozenset[str] = frozenset()

    @property
    def is_for_anybody(self) -> bool:
        return not self.roles and not self.services


def roles(*names: Role) -> Rule:
    return Rule(roles=frozenset(names))


def services(*names: str) -> Rule:
    return Rule(services=frozenset(names))


ANYBODY = Rule()
PROBES = {f"GET /{name}": ANYBODY for name in ("livez", "readyz", "metrics")}

Rules = Mapping[str, Rule]  # by method and path: "POST /api/v1/orders"
Credentials = Mapping[str, Sequence[str]]  # of services by name; two while one replaces the other


class Tokens(Protocol):
    def known(self, authorization: bytes) -> Caller | None:
        """Whose it is, if that is known already."""

    async def caller(self, authorization: bytes) -> Caller:
        """Whose it is. Raises Unauthenticated."""


class Gate(Protocol):
    """What stands before one route."""

    def known(self, authorization: bytes | None) -> Caller | None:
        """Who comes through without being looked at more closely."""

    async def admit(self, authorization: bytes | None) -> Caller:
        """Who comes through. Raises Unauthenticated or Forbidden."""


class OpenGate:
    def known(self, _authorization: bytes | None) -> Caller | None:
        return EVERYBODY

    async def admit(self, _authorization: bytes | None) -> Caller:
        return EVERYBODY


@dataclass(frozen=True)
class TokenGate:
    rule: Rule
    tokens: Tokens

    def known(self, authorization: bytes | None) -> Caller | None:
        if authorization is None:
            return NOBODY if self.rule.is_for_anybody else None
        caller = self.tokens.known(authorization)
        return caller if caller is not None and self._lets(caller) else None

    async def admit(self, authorization: bytes | None) -> Caller:
        """A token must be good also where none is needed: who sends a bad one believes that it counts."""
        if authorization is None:
            if not self.rule.is_for_anybody:
                raise Unauthenticated("Send a bearer token")
            return NOBODY
        caller = await self.tokens.caller(authorization)
        if not self._lets(caller):
            raise Forbidden(f"This is for {' or '.join(sorted(self.rule.roles))} only")
        return caller

    def _lets(self, caller: Caller) -> bool:
        return self.rule.is_for_anybody or caller.role in self.rule.roles


class ServiceGate:
    def __init__(self, rule: Rule, credentials: Credentials) -> None:
        self._credentials = [
            (Caller(name), f"Bearer {secret}".encode())
            for name in sorted(rule.services)
            for secret in credentials.get(name, ())
        ]

    def known(self, authorization: bytes | None) -> Caller | None:
        if authorization is not None:
            for caller, expected in self._credentials:
                if hmac.compare_digest(authorization, expected):
                    return caller
        return None

    async def admit(self, authorization: bytes | None) -> Caller:
        caller = self.known(authorization)
        if caller is None:
            raise Unauthenticated("The service's credential is missing or wrong")
        return caller


class Unruled(RuntimeError):
    """Routes and rules don't match."""


@dataclass(frozen=True)
class Access:
    """All rules of an app. Without `tokens` its public routes are open."""

    rules: Rules
    tokens: Tokens | None = None
    credentials: Credentials | None = None

    def gates(self, app: FastAPI) -> list[tuple[APIRoute, Gate]]:
        """One for each route of `app`. Raises Unruled for a route without a rule, or a rule without a route."""
        rules = {**PROBES, **self.rules}
        found: list[tuple[APIRoute, Gate]] = []
        for route in app.routes:
            if not isinstance(route, APIRoute):
                continue
            [method] = route.methods or {""}
            rule = rules.pop(f"{method} {route.path}", None)
            if rule is None:
                raise Unruled(f"There is no rule who may {method} {route.path}")
            found.append((route, self._gate(rule)))
        if rules:
            raise Unruled(f"There is no route for the rules of {', '.join(sorted(rules))}")
        return found

    def _gate(self, rule: Rule) -> Gate:
        if rule.services:
            return ServiceGate(rule, self.credentials or {})
        return OpenGate() if self.tokens is None else TokenGate(rule, self.tokens)
