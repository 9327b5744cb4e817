"""How many orders a customer may ask for, with a real Redis. Nobody waits for a bucket to fill: its moment is moved instead."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from redis.asyncio import Redis

from chassis.database.transactions import Database
from chassis.problems import TooManyRequests
from chassis.web.auth import AuthSettings
from harness.asgi import in_one_piece
from harness.engine import RedisServer
from harness.schemas import Schema
from ordering import api, call_limit
from ordering.call_limit import CallLimit
from ordering.settings import Settings
from ordering.tests.catalog_stand_in import CatalogStandIn, StandInServer
from ordering.tests.conftest import TOKEN
from ordering.tests.factories import rows

PER_MINUTE = 3
A_TOKEN = 20_000_000  # how long one takes to come back, in microseconds
A_MINUTE = 60_000_000
Replicas = tuple[CallLimit, CallLimit]


@pytest.fixture
def patiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has much to do, Redis may take longer than is waited for it."""
    monkeypatch.setattr(call_limit, "PATIENCE_SECONDS", 20.0)


@pytest.fixture
async def replicas(redis_url: str, patiently: None) -> AsyncIterator[Replicas]:
    both = CallLimit(redis_url, PER_MINUTE), CallLimit(redis_url, PER_MINUTE)
    yield both
    for one in both:
        await one.close()


async def waits(limit: CallLimit, customer: str = "ann") -> int | None:
    """Seconds that the customer is told to wait, None for a call that is admitted."""
    try:
        await limit.admit(customer)
    except TooManyRequests as refused:
        return int(refused.response().headers["Retry-After"])
    return None


async def use_up(limit: CallLimit, customer: str = "ann") -> None:
    assert [await waits(limit, customer) for _ in range(PER_MINUTE)] == [None] * PER_MINUTE


async def as_if_passed(redis_client: Redis, microseconds: int, customer: str = "ann") -> None:
    await redis_client.decrby(f"rate:{customer}", microseconds)


async def test_replicas_share_a_customers_bucket(replicas: Replicas) -> None:
    one, other = replicas

    admitted = [await waits(one), await waits(other), await waits(one)]

    assert admitted == [None] * 3
    for replica in replicas:
        assert 0 < (await waits(replica) or 0) <= 20


async def test_calls_at_once_get_exactly_what_there_is(replicas: Replicas) -> None:
    told = await asyncio.gather(*(waits(replicas[n % 2], ("ann", "bob")[n % 3 == 0]) for n in range(60)))

    for customer in (0, 1):
        assert [told[n] for n in range(60) if (n % 3 == 0) == customer].count(None) == PER_MINUTE


async def test_one_customers_calls_are_not_anothers(replicas: Replicas) -> None:
    await use_up(replicas[0], "ann")

    await use_up(replicas[0], "Ann")
    await use_up(replicas[0], "änn:*")


async def test_a_bucket_fills_up_with_time_and_not_above_its_brim(replicas: Replicas, redis_client: Redis) -> None:
    limit = replicas[0]
    await use_up(limit)

    await as_if_passed(redis_client, A_TOKEN)
    after_one = [await waits(limit) is None for _ in range(2)]
    await as_if_passed(redis_client, 5 * A_MINUTE)
    after_long = [await waits(limit) is None for _ in range(PER_MINUTE + 1)]

    assert after_one == [True, False]
    assert after_long == [True] * PER_MINUTE + [False]


async def test_who_is_refused_waits_no_longer_for_having_asked(replicas: Replicas, redis_client: Redis) -> None:
    await use_up(replicas[0])
    for _ in range(10):
        assert await waits(replicas[0]) is not None

    await as_if_passed(redis_client, A_TOKEN)

    assert await waits(replicas[0]) is None


async def test_time_is_redis_own(replicas: Replicas, redis_client: Redis) -> None:
    seconds, microseconds = await redis_client.time()

    await replicas[0].admit("ann")

    later, more = await redis_client.time()
    full_at = int(await redis_client.get("rate:ann") or 0)
    assert seconds * 10**6 + microseconds <= full_at - A_TOKEN <= later * 10**6 + more


async def test_a_clock_of_redis_set_back_holds_up_nobody_for_longer(replicas: Replicas, redis_client: Redis) -> None:
    seconds, _ = await redis_client.time()
    await redis_client.set("rate:ann", (seconds + 3600) * 10**6)

    refused = await waits(replicas[0])
    await as_if_passed(redis_client, A_TOKEN)

    assert refused == 20, "as if the bucket had just been emptied"
    assert await waits(replicas[0]) is None


async def test_a_bucket_that_says_nothing_more_goes_by_itself(replicas: Replicas, redis_client: Redis) -> None:
    for _ in range(PER_MINUTE + 1):
        await waits(replicas[0])

    assert await redis_client.keys() == [b"rate:ann"]
    assert 0 < await redis_client.pttl("rate:ann") <= A_MINUTE / 1000


async def test_an_emptied_redis_forgets_who_has_called(replicas: Replicas, redis_client: Redis) -> None:
    await use_up(replicas[0])

    await redis_client.flushall()
    await redis_client.script_flush()

    await use_up(replicas[0])
    assert await waits(replicas[0]) is not None


async def test_while_redis_is_away_everybody_comes_through_and_once_it_is_back_the_limit_holds(
    replicas: Replicas, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_limit, "DO_WITHOUT_SECONDS", 0.0)
    await use_up(replicas[0])
    redis_server.engine.kill()
    try:
        away = [await waits(replicas[0]) for _ in range(5)]
    finally:
        redis_server.engine.start()
    back = [await waits(replicas[0]) is None for _ in range(PER_MINUTE + 2)]

    assert away == [None] * 5
    assert back[-1] is False
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_a_redis_without_memory_keeps_nobody_from_ordering(replicas: Replicas, redis_client: Redis) -> None:
    await redis_client.config_set("maxmemory", 1)
    try:
        told = [await waits(replicas[0]) for _ in range(PER_MINUTE + 1)]
    finally:
        await redis_client.config_set("maxmemory", 0)

    assert told == [None] * (PER_MINUTE + 1)


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_redis_that_does_not_answer_is_waited_for_once_and_not_by_each(
    hangs_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_limit, "DO_WITHOUT_SECONDS", 60.0)
    connections: list[asyncio.StreamWriter] = []

    async def meet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        if hangs_up:
            writer.close()

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
        limit = CallLimit(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", PER_MINUTE)
        told = [await waits(limit) for _ in range(PER_MINUTE + 1)]
        await limit.close()
        for connection in connections:
            connection.close()

    assert told == [None] * (PER_MINUTE + 1)
    assert len(connections) == 1


@pytest.mark.parametrize(("customer", "per_minute"), [("", PER_MINUTE), ("ann", 0)])
async def test_who_has_no_limit_costs_redis_nothing(redis_client: Redis, customer: str, per_minute: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_asked:
        never_asked.setblocking(False)
        limit = CallLimit(f"redis://127.0.0.1:{never_asked.getsockname()[1]}", per_minute)

        told = [await waits(limit, customer) for _ in range(PER_MINUTE + 1)]

        with pytest.raises(BlockingIOError):
            never_asked.accept()
    assert told == [None] * (PER_MINUTE + 1)


@pytest.fixture
async def known(
    ordering_schema: Schema,
    redis_url: str,
    catalog_server: StandInServer,
    catalog: CatalogStandIn,
    tmp_path: Path,
    patiently: None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an api with an issuer and a limit, whose token says that it is Ann's."""
    key = Ed25519PrivateKey.generate()
    public = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one"}
    (tmp_path / "jwks.json").write_bytes(orjson.dumps({"keys": [public]}))
    claims = {"sub": "ann", "iss": "the issuer", "aud": "order-system", "exp": 2**33, "role": "customer"}
    token = jwt.encode(claims, key, "EdDSA", {"kid": "one"})
    settings = Settings(
        database_url=ordering_schema.url,
        redis_url=redis_url,
        catalog_url=catalog_server.url,
        fulfilment_url=catalog_server.url,
        catalog_token=TOKEN,
        operator_tokens=(TOKEN,),
        connections=2,
        orders_per_customer_per_minute=PER_MINUTE,
        auth=AuthSettings(issuer="the issuer", jwks=str(tmp_path / "jwks.json")),
    )
    app = api.build(settings)
    transport, headers = httpx.ASGITransport(in_one_piece(app)), {"Authorization": f"Bearer {token}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://ordering", headers=headers) as client,
    ):
        yield client


async def test_a_call_too_many_is_told_so_and_leaves_nothing_behind(
    known: httpx.AsyncClient, database: Database, catalog: CatalogStandIn, redis_client: Redis
) -> None:
    order = {"product_id": 1, "quantity": 1}
    placed = [await known.post("/api/v1/orders", json=order) for _ in range(PER_MINUTE)]
    left = rows(database, "SELECT COUNT(*) FROM orders"), catalog.stock[1]

    refused = [await known.post(url, json=order) for url in ("/api/v1/orders", "/api/v1/orders?past=nothing")]

    assert [answer.status_code for answer in placed] == [201] * PER_MINUTE
    for answer in refused:
        assert (answer.status_code, 0 < int(answer.headers["retry-after"]) <= 20) == (429, True)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"].startswith("More than 3 orders a minute")
    assert (rows(database, "SELECT COUNT(*) FROM orders"), catalog.stock[1]) == left
    assert await redis_client.keys() == [b"rate:ann"]


async def test_a_repeat_is_a_call_as_well(known: httpx.AsyncClient, database: Database) -> None:
    order, key = {"product_id": 1, "quantity": 1}, {"Idempotency-Key": "a key"}

    answers = [await known.post("/api/v1/orders", json=order, headers=key) for _ in range(PER_MINUTE + 1)]

    assert [answer.status_code for answer in answers] == [201] * PER_MINUTE + [429]
    assert rows(database, "SELECT COUNT(*) FROM orders") == [(1,)]


async def test_what_is_malformed_is_no_call(known: httpx.AsyncClient) -> None:
    bad = [await known.post("/api/v1/orders", json={"product_id": 1}) for _ in range(PER_MINUTE)]
    good = await known.post("/api/v1/orders", json={"product_id": 1, "quantity": 1})

    assert ({answer.status_code for answer in bad}, good.status_code) == ({422}, 201)
