"""A schema is brought up to date once, however many start at once, whatever was killed, whoever is newer."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from chassis.database import migrations
from chassis.database.migrations import MigrationFailed, upgrade
from chassis.database.transactions import Database
from harness.engine import MySQLServer
from harness.schemas import Schema
from harness.threads import at_once

REVISION = """
from alembic import op

revision = "{number:04}"
down_revision = {before}

def upgrade() -> None:
    op.execute("CREATE TABLE IF NOT EXISTS t{number} (n INT)")
"""


class History:
    """A service's `migrations/` with revisions 0001 to `revisions`, each of which makes a table."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.revisions = 0
        (directory / "versions").mkdir(parents=True)
        (directory / "env.py").write_text("from chassis.database.migrations import run_revisions\n\nrun_revisions()\n")

    def grow(self, body: str = REVISION) -> None:
        before = f'"{self.revisions:04}"' if self.revisions else None
        self.revisions += 1
        file = self.directory / "versions" / f"{self.revisions:04}.py"
        file.write_text(body.format(number=self.revisions, before=before))


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path / "migrations")
    history.grow()
    history.grow()
    return history


def tables(connection: Connection) -> list[str]:
    return sorted(name for (name,) in connection.execute(text("SHOW TABLES")) if name != "alembic_version")


def version(connection: Connection) -> str:
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def test_an_empty_schema_gets_all_revisions_and_a_repeat_changes_nothing(
    history: History, scratch_schema: Schema, database: Database
) -> None:
    for _ in range(2):
        upgrade("scratch", scratch_schema.url, history.directory)

    assert database.transact(tables) == ["t1", "t2"]
    assert database.transact(version) == "0002"


def test_a_schema_gets_only_the_revisions_it_lacks(
    history: History, scratch_schema: Schema, database: Database
) -> None:
    upgrade("scratch", scratch_schema.url, history.directory)
    history.grow()
    database.transact(lambda connection: connection.execute(text("DROP TABLE t1")).close())

    upgrade("scratch", scratch_schema.url, history.directory)

    assert database.transact(tables) == ["t2", "t3"]


def test_several_at_once_bring_it_up_to_date_one_after_the_other(
    history: History, scratch_schema: Schema, database: Database
) -> None:
    def migrate() -> None:
        upgrade("scratch", scratch_schema.url, history.directory)

    at_once([migrate] * 4)

    assert database.transact(version) == "0002"


def test_a_schema_newer_than_this_version_is_left_alone(
    history: History, scratch_schema: Schema, database: Database
) -> None:
    upgrade("scratch", scratch_schema.url, history.directory)
    database.transact(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0099'")).close())

    upgrade("scratch", scratch_schema.url, history.directory)

    assert database.transact(version) == "0099"


def test_a_revision_that_fails_is_not_counted_and_runs_again(
    history: History, scratch_schema: Schema, database: Database
) -> None:
    broken = history.directory / "versions" / "0002.py"
    whole = broken.read_text()
    broken.write_text(whole.replace("CREATE TABLE", "CREATE BROKEN TABLE"))

    with pytest.raises(Exception, match="BROKEN TABLE"):
        upgrade("scratch", scratch_schema.url, history.directory)
    after_failure = database.transact(version)
    broken.write_text(whole)
    upgrade("scratch", scratch_schema.url, history.directory)

    assert after_failure == "0001"
    assert database.transact(version) == "0002"


def test_one_that_waits_too_long_for_another_says_so(
    history: History, scratch_schema: Schema, mysql_server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0)
    mysql_server.execute("SELECT GET_LOCK('migrate:scratch', 0)")

    try:
        with pytest.raises(MigrationFailed, match="another migration"):
            upgrade("scratch", scratch_schema.url, history.directory)
    finally:
        mysql_server.execute("SELECT RELEASE_LOCK('migrate:scratch')")


def test_a_server_that_does_not_answer_is_named_in_one_sentence(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "WAIT_FOR_SERVER_SECONDS", 0)

    with pytest.raises(MigrationFailed, match="scratch: the database does not answer"):
        upgrade("scratch", "mysql+pymysql://nobody@127.0.0.1:1/scratch", history.directory)
