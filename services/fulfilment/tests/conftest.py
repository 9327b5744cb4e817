from collections.abc import Iterator

import pytest

from chassis.database.transactions import Database
from harness.schemas import Schema


@pytest.fixture
def database(fulfilment_schema: Schema) -> Iterator[Database]:
    database = Database(fulfilment_schema.url, connections=4)
    yield database
    database.close()
