"""Fulfilment's worker: takes orders over, works them off, tells their outcomes."""

import logging
import socket
from collections.abc import Sequence
from functools import partial

from fastapi import FastAPI
from sqlalchemy import Connection

from chassis.database.transactions import Database
from chassis.messaging import streams
from chassis.messaging.consumer import Consumer
from chassis.messaging.relay import Relay
from chassis.messaging.trim import trim
from chassis.process.heartbeat import Heartbeat
from chassis.process.loops import Loop
from chassis.process.worker import create_worker
from contracts.events import OrderingEvent, ordering_events
from contracts.streams import FULFILMENT, ORDERING
from fulfilment import on_order_cancelled, on_order_placed
from fulfilment.fulfilling import Fulfilling
from fulfilment.fulfilments import Fulfilment
from fulfilment.model import dead_letters, outbox, workers
from fulfilment.settings import Settings
from fulfilment.step import Step, Waiting
from fulfilment.take_over import owned, still_owned, take_over

log = logging.getLogger(__name__)


class Worker:
    """What its loops share: this boot's identity and the orders in memory."""

    def __init__(self, database: Database, heartbeat: Heartbeat, fulfilling: Fulfilling) -> None:
        self._database = database
        self._heartbeat = heartbeat
        self._fulfilling = fulfilling
        self._missed: set[int] = set()

    async def handle(self, events: list[OrderingEvent]) -> None:
        """Own the orders durably, then run them. Without a heartbeat others would take them over at once."""
        await self._fulfilling.room()
        await self._heartbeat.check()
        taken, cancelled = await self._database.run(receive, events, self._heartbeat.id)
        self._fulfilling.drop(cancelled)
        self._fulfilling.start(row for row in taken if row.order_id not in cancelled)

    async def take_over_orphans(self) -> bool:
        await self._fulfilling.room()
        await self._heartbeat.check()
        taken = await self._database.run(take_over, self._heartbeat.id)
        if taken:
            log.warning("took over %d orders whose worker is gone", len(taken))
            self._fulfilling.start(taken)
        return bool(taken)

    async def give_back(self) -> None:
        """Rows that are ours and that no task here works on, seen twice: a task died, or a commit's answer was lost."""
        missing = await self._database.run(owned, self._heartbeat.id) - self._fulfilling.held
        again = missing & self._missed
        if again:
            rows = await self._database.run(still_owned, self._heartbeat.id, again)
            log.warning("%d orders were ours and nobody worked on them", len(rows))
            self._fulfilling.start(rows)
        self._missed = missing - again


def receive(connection: Connection, events: Sequence[OrderingEvent], owner: str) -> tuple[list[Fulfilment], set[int]]:
    """A batch in one commit: what to work on, and what is cancelled, some of it perhaps in the same batch."""
    placed = [event for event in events if event["type"] == "OrderPlaced"]
    taken = on_order_placed.take(connection, placed, owner)
    cancels = [event for event in events if event["type"] == "OrderCancelled"]
    cancelled = on_order_cancelled.cancel(connection, cancels)
    return taken, cancelled


def build(settings: Settings | None = None, step: Step | None = None) -> FastAPI:
    settings = settings or Settings()
    database = Database(settings.database_url, connections=settings.connections)
    client = streams.connect(settings.redis_url)
    broker = streams.broker(settings.redis_url)
    heartbeat = Heartbeat(database, workers, socket.gethostname())
    fulfilling = Fulfilling(
        database,
        step or Waiting(settings.processing_seconds),
        step_timeout=settings.step_timeout_seconds,
        most_failures=settings.most_failures,
        most_in_flight=settings.most_in_flight,
    )
    worker = Worker(database, heartbeat, fulfilling)
    consumer = Consumer(
        broker=broker,
        client=client,
        stream=ORDERING,
        group="fulfilment",
        read=ordering_events.batch,
        handle=worker.handle,
        database=database,
        letters=dead_letters,
    )
    loops = [
        *Relay(database, client, outbox, FULFILMENT).loops(),
        Loop(worker.take_over_orphans, 1.0),
        Loop(worker.give_back, 5.0),
        Loop(partial(trim, client, FULFILMENT), 10.0),
    ]
    return create_worker(
        "fulfilment worker",
        database=database,
        client=client,
        broker=broker,
        heartbeat=heartbeat,
        consumer=consumer,
        loops=loops,
        stop=fulfilling.stop,
    )
