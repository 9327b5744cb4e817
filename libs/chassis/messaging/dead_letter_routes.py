"""What an operator does about dead letters: list, redrive, discard."""

from typing import Any

from fastapi import APIRouter
from redis import asyncio as redis
from sqlalchemy import Table

from chassis.database.transactions import Database
from chassis.messaging.dead_letters import LetterView, discard, list_, read
from chassis.messaging.streams import available
from chassis.web.fields import PathId
from chassis.web.openapi import refusals
from chassis.web.paging import PageQuery


async def redrive(database: Database, client: redis.Redis, table: Table, letter_id: int) -> None:
    """Put the entry on its stream again, as it came, and forget the letter after Redis's answer: at least once."""
    letter = await database.run(read, table, letter_id)
    async with available():
        fields: dict[Any, Any] = dict(letter.fields)  # redis-py types keys as invariant
        await client.xadd(letter.stream, fields)
    await database.run(discard, table, letter_id)


def add_routes(router: APIRouter, database: Database, client: redis.Redis, table: Table) -> None:
    @router.get("/dead-letters", operation_id="list_dead_letters")
    async def list_letters(page: PageQuery) -> list[LetterView]:
        """Stream entries that could not be handled, oldest first."""
        return await database.run(list_, table, page.after or 0, page.limit)

    @router.post("/dead-letters/{letter_id}/redrive", operation_id="redrive_dead_letter", responses=refusals(409))
    async def redrive_letter(letter_id: PathId) -> dict[str, str]:
        """Put a dead letter on its stream again, as it came."""
        await redrive(database, client, table, letter_id)
        return {"message": "Dead letter redriven"}

    @router.delete("/dead-letters/{letter_id}", operation_id="discard_dead_letter")
    async def discard_letter(letter_id: PathId) -> dict[str, str]:
        """Forget a dead letter."""
        await database.run(discard, table, letter_id)
        return {"message": "Dead letter discarded"}
