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
from starlette.routing import BaseRoute

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


def roles(one: Role, *others: Role) -> Rule:
    return Rule(roles=frozenset({one, *others}))


def services(one: str, *others: str) -> Rule:
    return Rule(services=frozenset({one, *others}))


ANYBODY = Rule()
PROBES = {f"GET /{name}": ANYBODY for name in ("livez", "readyz", "metrics")}
DOCUMENTS = {f"GET /{name}": ANYBODY for name in ("openapi.json", "docs", "docs/oauth2-redirect", "redoc")}  # FastAPI's

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


class Gated(APIRoute):
    """A route that asks its gate before all else."""

    gate: Gate


class Unruled(RuntimeError):
    """Routes and rules don't match."""


@dataclass(frozen=True)
class Access:
    """All rules of an app. Without `tokens` its public routes are open."""

    rules: Rules
    tokens: Tokens | None = None
    credentials: Credentials | None = None

    def guard(self, app: FastAPI) -> None:
        """Give each route its gate.

        Raises Unruled for a route without a rule, a rule without a route, and a route that would not ask its gate.
        """
        rules = {**PROBES, **DOCUMENTS, **self.rules}
        unused = set(rules)
        for route in app.routes:
            for name in _names(route):
                if name not in rules:
                    raise Unruled(f"There is no rule who may {name}")
                unused.discard(name)
                self._close(route, name, rules[name])
        if unused:
            raise Unruled(f"There is no route for the rules of {', '.join(sorted(unused))}")

    def _close(self, route: BaseRoute, name: str, rule: Rule) -> None:
        if isinstance(route, Gated):
            route.gate = self._gate(rule)
        elif not rule.is_for_anybody:
            raise Unruled(f"{name} would not ask its gate: make it with public_router or private_router")

    def _gate(self, rule: Rule) -> Gate:
        if rule.services:
            return ServiceGate(rule, self.credentials or {})
        return OpenGate() if self.tokens is None else TokenGate(rule, self.tokens)


def _names(route: BaseRoute) -> list[str]:
    """As rules call it. What answers to any method, such as a mounted app or a WebSocket, can't have a rule."""
    path, methods = getattr(route, "path", ""), getattr(route, "methods", None)
    return [f"{method} {path}" for method in sorted({*(methods or {"ANY"})} - {"HEAD"})]
