"""A service's users can do what it needs, and nothing else anywhere. (Promise 7)"""

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest

from harness.engine import MySQLServer
from harness.privileges import listed
from harness.schemas import Schemas
from local.topology import SERVICES

REFUSED = {1044, 1142, 1143, 1227}  # the schema, the table, the column, the privilege
ON_A_TABLE = {
    "SELECT": "SELECT 1 FROM {} LIMIT 1",
    "INSERT": "INSERT INTO {} VALUES ()",
    "UPDATE": "UPDATE {} SET {} = NULL WHERE FALSE",
    "DELETE": "DELETE FROM {} WHERE FALSE",
    "CREATE": "CREATE TABLE IF NOT EXISTS {} (n INT)",
    "ALTER": "ALTER TABLE {} ADD COLUMN more INT",
    "DROP": "DROP TABLE {}",
    "TRUNCATE": "TRUNCATE TABLE {}",
    "INDEX": "CREATE INDEX more ON {} ({})",
    "TRIGGER": "CREATE TRIGGER more BEFORE INSERT ON {} FOR EACH ROW SET @more = 1",
    "LOCK TABLES": "LOCK TABLES {} WRITE",
}
ELSEWHERE = [(service, other) for service in SERVICES for other in SERVICES if other != service]


@pytest.fixture(scope="module")
def server(schemas: Schemas) -> MySQLServer:
    """All three schemas up to date."""
    for service in SERVICES:
        schemas.empty(service)
    return schemas.server


@contextmanager
def connected(server: MySQLServer, user: str) -> Iterator["pymysql.cursors.Cursor"]:
    connection = pymysql.connect(host="127.0.0.1", port=server.port, user=user, password=server.password(user))
    with connection, connection.cursor() as cursor:
        yield cursor


def assert_refused(server: MySQLServer, user: str, statement: str) -> None:
    with connected(server, user) as cursor, pytest.raises(pymysql.MySQLError) as error:
        cursor.execute(statement)
    assert error.value.args[0] in REFUSED


def is_refused(cursor: "pymysql.cursors.Cursor", statement: str) -> bool:
    try:
        cursor.execute(statement)
    except pymysql.MySQLError as error:
        return error.args[0] in REFUSED
    return False


def tables(server: MySQLServer, service: str) -> list[str]:
    return [str(name) for (name,) in server.execute(f"SHOW TABLES IN {service}")]


@pytest.mark.parametrize("service", SERVICES)
def test_a_running_user_may_do_with_each_table_what_is_listed_and_nothing_else(
    server: MySQLServer, service: str
) -> None:
    user = f"{service}_run"
    may = {(table, verb) for listed_user, table, verb in listed() if listed_user == user}
    columns = {table: server.execute(f"SHOW COLUMNS IN {service}.{table}")[0][0] for table in tables(server, service)}

    with connected(server, user) as cursor:
        cursor.execute(f"USE {service}")
        done = {
            (table, verb)
            for table, column in columns.items()
            for verb, statement in ON_A_TABLE.items()
            if not is_refused(cursor, statement.format(f"{service}.{table}", column))
        }

    assert done == may


def test_the_server_knows_of_no_grant_that_is_not_listed(server: MySQLServer) -> None:
    """Not even one on a table that isn't there, or on a whole schema."""
    known = server.execute(
        "SELECT grantee, table_name, privilege_type FROM information_schema.table_privileges WHERE grantee LIKE '%\\_run%'"
    )
    wider = server.execute(
        "SELECT grantee, privilege_type FROM information_schema.schema_privileges WHERE grantee LIKE '%\\_run%'"
        "UNION SELECT grantee, privilege_type FROM information_schema.user_privileges WHERE grantee LIKE '%\\_run%'"
    )

    assert {(str(user).split("'")[1], table, verb) for user, table, verb in known} == listed()
    assert {verb for _, verb in wider} == {"USAGE"}


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("catalog", "UPDATE catalog.stock_movements SET delta = 0"),
        ("catalog", "DELETE FROM catalog.stock_movements"),
        ("catalog", "REPLACE INTO catalog.stock_movements (id) VALUES (1)"),
        ("catalog", "DELETE FROM catalog.products"),
        ("catalog", "DELETE FROM catalog.reservations"),
        ("catalog", "UPDATE catalog.idempotency_keys SET answer = ''"),
        ("ordering", "DELETE FROM ordering.orders"),
        ("ordering", "REPLACE INTO ordering.orders (id) VALUES (1)"),
        ("ordering", "UPDATE ordering.order_steps SET step = ''"),
        ("ordering", "DELETE FROM ordering.order_steps"),
        ("fulfilment", "DELETE FROM fulfilment.fulfilments"),
        ("fulfilment", "UPDATE fulfilment.past_tries SET result = ''"),
    ],
)
def test_what_happened_stays(server: MySQLServer, service: str, statement: str) -> None:
    assert_refused(server, f"{service}_run", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE {0}.more (n INT)",
        "CREATE DATABASE more",
        "CREATE USER more",
        "GRANT SELECT ON {0}.* TO '{0}_migrate'@'%'",
        "SET GLOBAL max_connections = 1",
        "SELECT * FROM mysql.user",
        "SELECT LOAD_FILE('/etc/hostname') INTO OUTFILE '/tmp/x'",
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_running_user_is_refused_all_else(server: MySQLServer, service: str, statement: str) -> None:
    assert_refused(server, f"{service}_run", statement.format(service))


@pytest.mark.parametrize(("service", "other"), ELSEWHERE)
@pytest.mark.parametrize("role", ["run", "migrate"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM {}.{}",
        "INSERT INTO {}.{} VALUES (1)",
        "DELETE FROM {}.{}",
        "DROP TABLE {}.{}",
    ],
)
def test_no_user_gets_at_another_schema(
    server: MySQLServer, service: str, other: str, role: str, statement: str
) -> None:
    for table in tables(server, other):
        assert_refused(server, f"{service}_{role}", statement.format(other, table))


@pytest.mark.parametrize("role", ["run", "migrate"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_user_sees_no_schema_but_its_own(server: MySQLServer, service: str, role: str) -> None:
    with connected(server, f"{service}_{role}") as cursor:
        cursor.execute("SHOW DATABASES")
        seen = {name for (name,) in cursor.fetchall()}

    assert seen & set(SERVICES) == {service}


@pytest.mark.parametrize("service", SERVICES)
def test_a_migrating_user_changes_its_own_schema(server: MySQLServer, service: str) -> None:
    with connected(server, f"{service}_migrate") as cursor:
        cursor.execute(f"CREATE TABLE {service}.more (n INT)")
        cursor.execute(f"ALTER TABLE {service}.more ADD COLUMN m INT")
        cursor.execute(f"DROP TABLE {service}.more")


def test_granting_again_changes_nothing(server: MySQLServer) -> None:
    def grants() -> list[list[tuple[object, ...]]]:
        users = [f"{service}_{role}" for service in SERVICES for role in ("run", "migrate")]
        return [server.execute(f"SHOW GRANTS FOR '{user}'@'%'") for user in users]

    before = grants()
    server.grant()

    assert grants() == before


@pytest.mark.parametrize("service", SERVICES)
def test_text_is_compared_byte_by_byte(server: MySQLServer, service: str) -> None:
    collation = server.execute(
        f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{service}'"
    )

    assert collation == [("utf8mb4_bin",)]
