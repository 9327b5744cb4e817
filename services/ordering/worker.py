"""Ordering's worker: sends what was announced, follows fulfilment, finishes what was left."""

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
from contracts.events import FulfilmentEvent, fulfilment_events
from contracts.streams import FULFILMENT, ORDERING
from ordering.announce_again import answered
from ordering.catalog_client import CatalogClient
from ordering.follow_fulfilment import fulfil, move
from ordering.model import Cause, dead_letters, outbox, workers
from ordering.notice_clock import ClockWatch
from ordering.notice_loss import notice_loss
from ordering.release_stock import release
from ordering.resume_orders import resume
from ordering.settings import Settings
from ordering.stages import stages


def build(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    database = Database(settings.database_url, connections=settings.connections)
    catalog = CatalogClient(settings.catalog_url, settings.catalog_token, settings.catalog_seconds)
    client = streams.connect(settings.redis_url)
    broker = streams.broker(settings.redis_url)
    heartbeat = Heartbeat(database, workers, socket.gethostname())
    relay = Relay(database, client, outbox, ORDERING, answered)
    consumer: Consumer[FulfilmentEvent] = Consumer(
        broker=broker,
        client=client,
        stream=FULFILMENT,
        group="ordering",
        read=fulfilment_events.batch,
        handle=lambda events: database.run(follow, events),
        database=database,
        letters=dead_letters,
    )
    loops = [
        *relay.loops(),
        Loop(partial(resume, database, stages(database, catalog)), 1.0),
        Loop(partial(release, database, catalog), 0.5),
        Loop(partial(notice_loss, database, client), 1.0),
        Loop(ClockWatch(database).look, 1.0),
        Loop(partial(trim, client, ORDERING), 10.0),
    ]
    return create_worker(
        "ordering worker",
        database=database,
        client=client,
        broker=broker,
        heartbeat=heartbeat,
        consumer=consumer,
        loops=loops,
        stop=catalog.close,
    )


def follow(connection: Connection, events: Sequence[FulfilmentEvent]) -> None:
    """All of a batch in one commit, kind by kind; revisions make their order not matter."""
    fulfil(connection, [event for event in events if event["type"] == "OrderFulfilled"])
    move(connection, [event for event in events if event["type"] == "FulfilmentFailed"], Cause.GAVE_UP)
    cancelled = [event for event in events if event["type"] == "FulfilmentCancelled"]
    move(connection, cancelled, Cause.CANCEL_ACCEPTED, due="NOW(6)")  # the stock is to be released
