"""A repeated request gets the first one's answer, whoever comes when."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from pydantic import BaseModel
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, func, select

from chassis.database.transactions import Database
from chassis.problems import Conflict, Unprocessable
from chassis.web.access import Caller
from chassis.web.head import Head
from chassis.web.idempotency import fingerprint, generated_key, idempotency_table, once
from faults.proxy import Cut, Link, beside
from harness.engine import MySQLServer
from harness.schemas import Schema

metadata = MetaData()
keys = idempotency_table(metadata)
done = Table("done", metadata, Column("id", BigInteger, primary_key=True, autoincrement=True))
REQUEST = fingerprint("create", {"name": "Laptop"})


class Answer(BaseModel):
    id: int


@pytest.fixture(autouse=True)
def tables(create_tables: Callable[[MetaData], None]) -> None:
    create_tables(metadata)


def work(connection: Connection) -> Answer:
    inserted = connection.execute(done.insert()).inserted_primary_key
    assert inserted is not None
    return Answer(id=inserted[0])


def times_done(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(done)).scalar_one()


async def ask(database: Database, key: str | None, request: bytes = REQUEST, caller: str = "alice") -> Answer:
    return await once(database, keys, Head(Caller(caller), key), request, Answer, work)


async def test_a_repeat_gets_the_same_answer_and_does_nothing(database: Database) -> None:
    first, second = await ask(database, "key"), await ask(database, "key")

    assert first == second
    assert database.transact(times_done) == 1


async def test_two_callers_who_use_the_same_key_get_an_answer_each(database: Database) -> None:
    hers, his = await ask(database, "key", caller="alice"), await ask(database, "key", caller="bob")

    assert hers != his
    assert database.transact(times_done) == 2


async def test_twins_at_once_through_two_replicas_are_done_once(scratch_schema: Schema, database: Database) -> None:
    other = Database(scratch_schema.url)

    answers = await asyncio.gather(*(ask(replica, "key") for _ in range(10) for replica in (database, other)))
    other.close()

    assert len({answer.id for answer in answers}) == 1
    assert database.transact(times_done) == 1


async def test_a_key_used_with_another_request_is_refused(database: Database) -> None:
    await ask(database, "key")

    with pytest.raises(Unprocessable):
        await ask(database, "key", fingerprint("create", {"name": "Desktop"}))

    assert database.transact(times_done) == 1


async def test_keys_are_compared_byte_by_byte(database: Database) -> None:
    for key in ("Ab1", "aB1", "ab1 ", "ab1"):
        await ask(database, key)

    assert database.transact(times_done) == 4


async def test_without_a_key_every_call_counts(database: Database) -> None:
    await ask(database, None)
    await ask(database, None)

    assert database.transact(times_done) == 2


async def test_a_refusal_does_not_use_the_key_up(database: Database) -> None:
    def refuse(_connection: Connection) -> Answer:
        raise Conflict("not now")

    with pytest.raises(Conflict):
        await once(database, keys, Head(Caller("alice"), "key"), REQUEST, Answer, refuse)
    await ask(database, "key")

    assert database.transact(times_done) == 1


@pytest.mark.parametrize("key", ["key", None])
async def test_a_commit_whose_answer_is_lost_is_not_done_again(
    key: str | None, mysql_server: MySQLServer, scratch_schema: Schema, database: Database
) -> None:
    link = Link("test to mysql", mysql_server.port)
    with beside(link) as run:
        url = scratch_schema.url.replace(f":{mysql_server.port}", f":{link.port}")
        shaky = Database(f"{url}?ssl_disabled=true")
        shaky.transact(times_done)  # SQLAlchemy commits once while it connects
        run(link.cut(Cut.COMMIT_REPLY_LOST, times=1))
        answer = await ask(shaky, key)
        shaky.close()

    assert link.hits == 1
    assert answer.id >= 1
    assert database.transact(times_done) == 1


def test_a_fingerprint_tells_requests_apart_and_nothing_else() -> None:
    assert fingerprint("a", {"x": 1, "y": 2}) == fingerprint("a", {"y": 2, "x": 1})
    assert fingerprint(Decimal("21")) == fingerprint(Decimal("21.00"))
    assert (
        len({fingerprint("a", 1), fingerprint("a", "1"), fingerprint("b", 1), fingerprint("a"), fingerprint("a1")}) == 5
    )


def test_keys_made_one_after_another_stand_one_after_another_and_are_never_the_same() -> None:
    made = [generated_key() for _ in range(1000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)
