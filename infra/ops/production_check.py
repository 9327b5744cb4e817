"""`./justw production-check https://shop.example`: what whoever is outside must not find, looked for from outside.

What the services see themselves they refuse to start with: ENVIRONMENT=production without an issuer or with secrets that are
made for development.
"""

import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import jwt

from ops.client import Refused

PORTS_OF_OURS = (3306, 3307, 6379, 6380, 8101, 8102, 8103, 8120, 8130)
# There is nothing under this id, and none of these requests has a body: should one get through, it changes nothing.
NOTHING = 2**63 - 1
FOR_STAFF = (
    ("POST", "/api/v1/products"),
    ("PUT", f"/api/v1/products/{NOTHING}"),
    ("DELETE", f"/api/v1/products/{NOTHING}"),
    ("POST", f"/api/v1/orders/{NOTHING}/redrive"),
)
FOR_SOMEBODY = (("GET", "/api/v1/orders"), ("POST", "/api/v1/orders"), ("POST", f"/api/v1/orders/{NOTHING}/cancel"))
PRIVATE = ("/private/stock-proof", "/private/dead-letters", "/metrics", "/readyz")
HEADERS = ("strict-transport-security", "x-content-type-options", "content-security-policy", "referrer-policy")
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Check:
    """`complaints` gives a sentence for each thing that is not as it must be."""

    sentence: str
    complaints: Callable[[httpx.Client], Iterator[str]]


def is_encrypted(client: httpx.Client) -> Iterator[str]:
    """A certificate that doesn't hold would have ended the first request."""
    if client.base_url.scheme != "https":
        yield f"{client.base_url} is not encrypted"


def headers_are_there(client: httpx.Client) -> Iterator[str]:
    headers = client.get("/health").headers
    yield from (f"{name} is missing" for name in HEADERS if name not in headers)
    if any(character.isdigit() for character in headers.get("server", "")):
        yield f"the server tells its version: {headers['server']}"


def nobody_comes_without_a_token(client: httpx.Client) -> Iterator[str]:
    for method, path in (*FOR_STAFF, *FOR_SOMEBODY):
        yield from _not_refused(client, method, path, {}, "without a token")


def made_up_tokens_do_not_count(client: httpx.Client) -> Iterator[str]:
    claims = {"sub": "somebody", "role": "staff", "iss": "somebody", "aud": "order-system", "exp": 2**33}
    unsigned = jwt.encode(claims, "", algorithm="none")
    guessed = jwt.encode(claims, "a secret that might be guessed by somebody", algorithm="HS256")
    for name, token in (("an unsigned", unsigned), ("a guessed", guessed), ("no real", "x.y.z")):
        headers = {"Authorization": f"Bearer {token}"}
        yield from _not_refused(client, "GET", "/api/v1/orders", headers, f"with {name} token")


def _not_refused(client: httpx.Client, method: str, path: str, headers: dict[str, str], how: str) -> Iterator[str]:
    status = client.request(method, path, headers=headers).status_code
    if status != httpx.codes.UNAUTHORIZED:
        yield f"{method} {path} {how} is answered {status}, not 401"


def private_routes_are_out_of_reach(client: httpx.Client) -> Iterator[str]:
    for path in PRIVATE:
        status = client.get(path).status_code
        if status != httpx.codes.NOT_FOUND:
            yield f"{path} is answered {status}, not 404"


def only_the_gateway_listens(client: httpx.Client) -> Iterator[str]:
    host, own = client.base_url.host, client.base_url.port
    yield from (f"port {port} is open" for port in PORTS_OF_OURS if port != own and _is_open(host, port))


def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


CHECKS = (
    Check("The way to the gateway is encrypted", is_encrypted),
    Check("Browsers are told what they must not do, and nobody which versions run", headers_are_there),
    Check("Nobody orders or manages anything without a token", nobody_comes_without_a_token),
    Check("A token that somebody made up doesn't count", made_up_tokens_do_not_count),
    Check("Private routes are out of reach", private_routes_are_out_of_reach),
    Check("Only the gateway listens", only_the_gateway_listens),
)


def check(url: str, verify: ssl.SSLContext | bool = True) -> list[tuple[Check, list[str]]]:
    """Each check with its complaints. Raises Refused when nobody answers."""
    if not urlsplit(url).netloc:
        raise Refused(f"{url} is no address: it looks like https://shop.example")
    try:
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, verify=verify) as client:
            return [(check, list(check.complaints(client))) for check in CHECKS]
    except httpx.HTTPError as error:
        raise Refused(f"{url} does not answer: {error}") from error


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: ./justw production-check https://shop.example")
    try:
        found = check(sys.argv[1])
    except Refused as refused:
        sys.exit(str(refused))
    for one, complaints in found:
        print(f"{'NO ' if complaints else 'yes'}  {one.sentence}")  # noqa: T201 - it talks to a person
        for complaint in complaints:
            print(f"       {complaint}")  # noqa: T201
    sys.exit(any(complaints for _, complaints in found))


if __name__ == "__main__":
    main()
