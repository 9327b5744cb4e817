"""The schema that the revisions make is the one that the code speaks of, however often and whenever they are cut."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

from catalog.model import metadata
from chassis.migrations import upgrade
from harness.schemas import Schema, Schemas

MIGRATIONS = Path(__file__).parents[1] / "migrations"
REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
HEAD = [(REVISIONS[-1],)]


@pytest.fixture
def schema(schemas: Schemas) -> Iterator[Schema]:
    """As it is before the first migration; given back so that the next test migrates it again."""
    yield schemas.fresh("catalog")
    schemas.fresh("catalog")


@pytest.fixture
def engine(schema: Schema) -> Iterator[Engine]:
    engine = create_engine(schema.migration_url)
    yield engine
    engine.dispose()


def tables(connection: Connection) -> dict[str, str]:
    """Columns, types, defaults, keys, checks and collations, as the server itself writes them down."""
    return {name: connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1] for name in metadata.tables}


def stamps(engine: Engine) -> list[tuple[str]]:
    with engine.begin() as connection:
        return [(row.version_num,) for row in connection.execute(text("SELECT * FROM alembic_version"))]


def migrating(schema: Schema) -> "subprocess.Popen[bytes]":
    environment = os.environ | {
        "CATALOG_MIGRATION_URL": schema.migration_url,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    return subprocess.Popen([sys.executable, "-m", "catalog", "migrate"], env=environment)


def test_the_revisions_and_the_model_agree(schema: Schema, engine: Engine) -> None:
    with engine.begin() as connection:
        metadata.create_all(connection)
        modelled = tables(connection)
        metadata.drop_all(connection)

    upgrade("catalog", schema.migration_url, MIGRATIONS)

    with engine.begin() as connection:
        assert tables(connection) == modelled


@pytest.mark.parametrize("stamped", [None, *REVISIONS[:-1]])
def test_a_migrate_killed_between_a_statement_and_its_stamp_runs_again(
    schema: Schema, engine: Engine, stamped: str | None
) -> None:
    upgrade("catalog", schema.migration_url, MIGRATIONS)
    with engine.begin() as connection:
        before = tables(connection)
        connection.execute(text("DELETE FROM alembic_version"))
        if stamped:
            connection.execute(text("INSERT INTO alembic_version VALUES (:stamped)"), {"stamped": stamped})

    upgrade("catalog", schema.migration_url, MIGRATIONS)

    assert stamps(engine) == HEAD
    with engine.begin() as connection:
        assert tables(connection) == before


def test_each_revision_is_one_guarded_statement() -> None:
    for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions():
        body = Path(script.path).read_text().partition("def upgrade")[2]
        assert body.count("op.") == body.count("IF NOT EXISTS") == 1, script.path
        assert ";" not in body, script.path


def test_several_at_once_bring_it_up_to_date_once(schema: Schema, engine: Engine) -> None:
    processes = [migrating(schema) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0]
    assert stamps(engine) == HEAD


def test_killed_at_any_moment_it_runs_again(schema: Schema, engine: Engine) -> None:
    for milliseconds in (600, 1000):
        process = migrating(schema)
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    assert migrating(schema).wait(60) == 0
    assert stamps(engine) == HEAD


def test_a_schema_newer_than_this_version_is_left_alone(schema: Schema, engine: Engine) -> None:
    upgrade("catalog", schema.migration_url, MIGRATIONS)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    upgrade("catalog", schema.migration_url, MIGRATIONS)

    assert stamps(engine) == [("9999",)]
