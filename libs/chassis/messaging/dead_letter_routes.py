"""What an operator does about dead letters: list, redrive, discard."""

from typing import Any

from fastapi import APIRouter
from redis import asyncio as redis
from sqlalchemy import Table

from chassis.database.transactions import Database
from chassis.messaging.dead_letters import LetterView, discard, list_, read
from chassis.messaging.streams import available
from chassis.web.fields import PathId
from chassis.web.paging import PageQuery


async def redrive(database: Database, client: redis.Redis, table: Table, letter_id: int) -> None:
    """Put the entry on its stream again, as it came, and forget the letter after Redis's answer: at least once."""
    letter = await database.run(read, table, letter_id)
    async with available():
        fields: dict[Any, Any] = dict(letter.fields)  # redis-py types keys as invariant
        await client.xadd(letter.stream, fields)
    await database.run(discard, table, letter_id)


def add_routes(router: APIRouter, database: Database, client: redis.Redis, table: Table) -> None:
    @router.get("/dead-letters")
    async def list_letters(page: PageQuery) -> list[LetterView]:
        return await database.run(list_, table, page.after or 0, page.limit)

    @router.post("/dead-letters/{letter_id}/redrive")
    async def redrive_letter(letter_id: PathId) -> dict[str, str]:
        await redrive(database, client, table, letter_id)
        return {"message": "Dead letter redriven"}

    @router.delete("/dead-letters/{letter_id}")
    async def discard_letter(letter_id: PathId) -> dict[str, str]:
        await database.run(discard, table, letter_id)
        return {"message": "Dead letter discarded"}
