"""What the clients of the run notice when another customer's order is shown. The system that shows it is a script here."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from faults.client import Client
from faults.ledger import Ledger, Placement
from faults.people import CUSTOMERS, STAFF, another_than, customer_of

OWNER, OTHER, THIRD = CUSTOMERS
System = Callable[[httpx.Request], httpx.Response]


def who(request: httpx.Request) -> str:
    return str(request.headers.get("authorization", "")).removeprefix("Bearer ")


def tight(request: httpx.Request) -> httpx.Response:
    return httpx.Response({OWNER: 200, STAFF: 200, "": 401}.get(who(request), 404), json=[])


def leaky(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=[{"id": 7}])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """An order of the first customer is known; each token is its owner's name."""
    client = Client("http://nowhere", Ledger(), {name: name for name in (*CUSTOMERS, STAFF)})
    client.ledger.named(Placement("key", [], customer=OWNER), 7)
    yield client
    await client.close()


def answered_by(client: Client, system: System) -> None:
    client._http = httpx.AsyncClient(base_url="http://nowhere", transport=httpx.MockTransport(system))


async def test_what_is_hidden_from_strangers_is_counted(client: Client) -> None:
    answered_by(client, tight)

    await client.try_strangers(7)

    assert (client.ledger.hidden, client.ledger.shown, client.ledger.violations) == (3, set(), [])


async def test_what_strangers_are_shown_is_noted(client: Client) -> None:
    answered_by(client, leaky)

    await client.try_strangers(7)

    assert client.ledger.shown == {(OTHER, 7)}
    assert client.ledger.violations == ["order 7 was read without a token: 200"]


async def test_what_stands_in_a_list_is_shown(client: Client) -> None:
    answered_by(client, leaky)

    await client.list_around(7)

    assert client.ledger.shown == {(OTHER, 7)}


def test_a_key_in_other_letters_is_the_same_customers() -> None:
    keys = [f"{n:x}-a" for n in range(100)]

    assert [customer_of(key.upper()) for key in keys] == [customer_of(key) for key in keys]
    assert {customer_of(key) for key in keys} == set(CUSTOMERS)


def test_another_is_another() -> None:
    assert [another_than(name) for name in CUSTOMERS] == [OTHER, THIRD, OWNER]
