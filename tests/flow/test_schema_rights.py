"""No service reads another's tables, and none that runs can change a table: the database itself refuses."""

from collections.abc import Callable, Iterator
from itertools import permutations

import pymysql
import pytest
from pymysql.constants import ER
from sqlalchemy import Engine, create_engine, exc, text

from harness.engine import MySQLServer
from harness.schemas import SERVICES, Schemas

PAIRS = list(permutations(SERVICES, 2))
ROLES = ["run", "migrate"]
Connect = Callable[[str, str], Engine]


@pytest.fixture
def connect(schemas: Schemas, mysql_server: MySQLServer) -> Iterator[Connect]:
    """An engine on a service's own schema, as its user of that role; all schemas are migrated."""
    engines: list[Engine] = []

    def connect(service: str, role: str) -> Engine:
        engines.append(create_engine(mysql_server.url(f"{service}_{role}", service)))
        return engines[-1]

    for service in SERVICES:
        schemas.empty(service)
    yield connect
    for engine in engines:
        engine.dispose()


def refusal(engine: Engine, sql: str) -> int:
    """The error that the server refuses `sql` with."""
    with engine.connect() as connection, pytest.raises(exc.DBAPIError) as caught:
        connection.execute(text(sql))
    assert isinstance(caught.value.orig, pymysql.err.Error)
    return int(caught.value.orig.args[0])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("service", "other"), PAIRS)
def test_a_service_is_refused_on_anothers_schema(service: str, other: str, role: str, connect: Connect) -> None:
    engine = connect(service, role)

    assert refusal(engine, f"USE {other}") == ER.DBACCESS_DENIED_ERROR
    assert refusal(engine, f"SELECT * FROM {other}.alembic_version") == ER.TABLEACCESS_DENIED_ERROR
    assert refusal(engine, f"DELETE FROM {other}.alembic_version") == ER.TABLEACCESS_DENIED_ERROR
    with engine.connect() as connection:
        assert other not in connection.execute(text("SHOW DATABASES")).scalars().all()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "ddl",
    [
        "CREATE TABLE stray (n INT)",
        "DROP TABLE alembic_version",
        "ALTER TABLE alembic_version ADD stray INT",
        "CREATE INDEX stray ON alembic_version (version_num)",
        "TRUNCATE alembic_version",
    ],
)
def test_the_user_that_runs_a_service_is_refused_ddl(service: str, ddl: str, connect: Connect) -> None:
    assert refusal(connect(service, "run"), ddl) == ER.TABLEACCESS_DENIED_ERROR


@pytest.mark.parametrize("service", SERVICES)
def test_the_user_that_runs_a_service_can_change_rows_of_its_own(service: str, connect: Connect) -> None:
    with connect(service, "run").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()

    assert version
