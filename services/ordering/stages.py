"""The stages of placing, over a database and catalog. The api places with them, the worker finishes what was left."""

from functools import partial

from chassis.database.transactions import Database
from chassis.process.gather import Gather
from ordering.accept_orders import Accepting
from ordering.catalog_client import CatalogClient
from ordering.place_orders import Stages, decide_together


def stages(database: Database, catalog: CatalogClient) -> Stages:
    return Stages(
        accept=Gather(Accepting(database)),
        reserve=Gather(catalog.reserve),
        decide=Gather(partial(decide_together, database)),
    )
