"""The stages of placing, over a database and catalog. The api places with them, the worker finishes what was left."""

import asyncio
from collections.abc import Sequence
from functools import partial

from chassis.database.transactions import Database
from chassis.process.gather import Gather
from contracts.reservations import Outcome
from ordering.accept_orders import Accepting
from ordering.catalog_client import CatalogClient
from ordering.place_orders import Stages, Wanted, decide_together

AT_LEAST_SECONDS = (
    0.001  # for a batch that begins just before its last caller gives up; no time at all would be no limit
)


def stages(database: Database, catalog: CatalogClient) -> Stages:
    return Stages(
        accept=Gather(Accepting(database)),
        reserve=Gather(partial(_reserve, catalog)),
        decide=Gather(partial(decide_together, database)),
    )


async def _reserve(catalog: CatalogClient, wanted: Sequence[Wanted]) -> list[Outcome]:
    """For as long as anybody of the batch waits."""
    left = max(one.until for one in wanted) - asyncio.get_running_loop().time()
    return await catalog.reserve([one.reservation for one in wanted], max(left, AT_LEAST_SECONDS))
