"""The tests' own servers are what they claim to be."""

from sqlalchemy import create_engine, text

from harness.engine import MySQLServer
from harness.schemas import Schema


def test_a_killed_mysql_keeps_what_was_committed(mysql_server: MySQLServer, scratch_schema: Schema) -> None:
    engine = create_engine(scratch_schema.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (n INT)"))
        connection.execute(text("INSERT INTO kept VALUES (1)"))
    engine.dispose()

    mysql_server.engine.kill()
    mysql_server.engine.start()

    assert mysql_server.execute("SELECT n FROM scratch.kept") == [(1,)]
