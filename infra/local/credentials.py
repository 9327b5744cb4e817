"""Who a client of ours is to a secured system: a customer where orders are concerned, and staff for all else."""

import re
from collections.abc import Generator
from http import HTTPStatus

import httpx

from chassis.web.access import Role
from local.development_issuer import DevelopmentIssuer
from local.errors import LocalError

OF_CUSTOMERS = re.compile(r"/api/v1/orders(?!/\d+/redrive)")


class Credentials(httpx.Auth):
    """Puts the right token on each request of an httpx client."""

    def __init__(self, issuer: DevelopmentIssuer) -> None:
        self._tokens = {role: issuer.token(role, role.value) for role in Role}

    def header(self, path: str) -> str:
        """What `Authorization` has to say there."""
        role = Role.CUSTOMER if OF_CUSTOMERS.match(path) else Role.STAFF
        return f"Bearer {self._tokens[role]}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self.header(request.url.path)
        yield request


def asked_for(url: str, issuer: DevelopmentIssuer) -> Credentials | None:
    """Those that the system at `url` wants. None if it wants none."""
    orders = f"{url}/api/v1/orders?limit=1"
    if httpx.get(orders, timeout=10).status_code != HTTPStatus.UNAUTHORIZED:
        return None
    credentials = Credentials(issuer)
    if httpx.get(orders, timeout=10, auth=credentials).status_code == HTTPStatus.UNAUTHORIZED:
        raise LocalError(f"The system on {url} accepts no development tokens: start it with `./justw up --secured`.")
    return credentials
