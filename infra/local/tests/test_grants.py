"""A service's users can do what it needs, and nothing else anywhere. (Promise 7)"""

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest

from harness.engine import MySQLServer
from local.topology import SERVICES

REFUSED = {1044, 1142, 1143, 1227}  # the schema, the table, the column, the privilege
ELSEWHERE = [(service, other) for service in SERVICES for other in SERVICES if other != service]


@pytest.fixture(scope="module")
def server(mysql_server: MySQLServer) -> Iterator[MySQLServer]:
    """Each schema with a table of its own."""
    for service in SERVICES:
        mysql_server.execute(f"CREATE TABLE {service}.granted (n INT PRIMARY KEY)")
    yield mysql_server
    for service in SERVICES:
        mysql_server.execute(f"DROP TABLE {service}.granted")


@contextmanager
def connected(server: MySQLServer, user: str) -> Iterator["pymysql.cursors.Cursor"]:
    connection = pymysql.connect(host="127.0.0.1", port=server.port, user=user, password=user)
    with connection, connection.cursor() as cursor:
        yield cursor


def assert_refused(server: MySQLServer, user: str, statement: str) -> None:
    with connected(server, user) as cursor, pytest.raises(pymysql.MySQLError) as error:
        cursor.execute(statement)
    assert error.value.args[0] in REFUSED


@pytest.mark.parametrize("service", SERVICES)
def test_a_running_user_works_with_the_rows_of_its_schema(server: MySQLServer, service: str) -> None:
    with connected(server, f"{service}_run") as cursor:
        cursor.execute(f"INSERT INTO {service}.granted VALUES (1)")
        cursor.execute(f"UPDATE {service}.granted SET n = 2")
        cursor.execute(f"SELECT n FROM {service}.granted FOR UPDATE")
        rows = cursor.fetchall()
        cursor.execute(f"DELETE FROM {service}.granted")

    assert rows == ((2,),)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE {0}.more (n INT)",
        "ALTER TABLE {0}.granted ADD COLUMN m INT",
        "DROP TABLE {0}.granted",
        "TRUNCATE TABLE {0}.granted",
        "CREATE INDEX more ON {0}.granted (n)",
        "CREATE DATABASE more",
        "CREATE USER more",
        "GRANT SELECT ON {0}.* TO '{0}_migrate'@'%'",
        "SET GLOBAL max_connections = 1",
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_a_running_user_is_refused_everything_but_rows(server: MySQLServer, service: str, statement: str) -> None:
    assert_refused(server, f"{service}_run", statement.format(service))


@pytest.mark.parametrize(("service", "other"), ELSEWHERE)
@pytest.mark.parametrize("role", ["run", "migrate"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT n FROM {}.granted",
        "INSERT INTO {}.granted VALUES (1)",
        "DELETE FROM {}.granted",
        "DROP TABLE {}.granted",
    ],
)
def test_no_user_gets_at_another_schema(
    server: MySQLServer, service: str, other: str, role: str, statement: str
) -> None:
    assert_refused(server, f"{service}_{role}", statement.format(other))


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
