"""What a service's revisions make of a schema, for tests that compare it with what the code speaks of."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, text

from chassis.database.migrations import upgrade
from harness.schemas import ROOT, Schema


class Revisions:
    """Those of `service`, run on a schema of its own."""

    def __init__(self, service: str, schema: Schema, metadata: MetaData, engine: Engine) -> None:
        self._service = service
        self._schema = schema
        self._metadata = metadata
        self._engine = engine
        self._directory = ROOT / "services" / service / "migrations"
        self.scripts = list(ScriptDirectory(str(self._directory)).walk_revisions())[::-1]

    @property
    def numbers(self) -> list[str]:
        return [script.revision for script in self.scripts]

    def statements(self) -> dict[str, str]:
        """Per revision, what its upgrade does."""
        return {script.revision: Path(script.path).read_text().partition("def upgrade")[2] for script in self.scripts}

    def run(self) -> None:
        upgrade(self._service, self._schema.migration_url, self._directory)

    def start(self) -> "subprocess.Popen[bytes]":
        """The same in a process of its own, which may be killed."""
        environment = os.environ | {
            f"{self._service.upper()}_MIGRATION_URL": self._schema.migration_url,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        return subprocess.Popen([sys.executable, "-m", self._service, "migrate"], env=environment)

    def stamp(self, revision: str | None) -> None:
        """Make the schema forget how far it has come, as a kill between a statement and its stamp does."""
        with self._engine.begin() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            if revision:
                connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    @contextmanager
    def stamping_held_up(self) -> Iterator[Callable[[], bool]]:
        """No revision can be stamped meanwhile. What is given says whether one is done and waits to be."""
        with self._engine.begin() as connection:
            connection.execute(text("SELECT * FROM alembic_version FOR UPDATE"))
            yield self._waits_to_be_stamped

    def _waits_to_be_stamped(self) -> bool:
        waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE alembic_version%'"
        with self._engine.begin() as connection:
            return bool(connection.execute(text(waiting)).scalar())

    def forget_all_but_the_first(self) -> None:
        """Tables and stamp as they are when the first revision alone has run."""
        self.run()
        tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "".join(self.statements().values()))
        with self._engine.begin() as connection:
            for name in tables[1:]:
                connection.execute(text(f"DROP TABLE {name}"))
        self.stamp(self.numbers[0])

    def stamped(self) -> list[str]:
        with self._engine.begin() as connection:
            return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())

    def tables(self) -> Mapping[str, list[str]]:
        """Columns, types, defaults, keys, checks and collations, as the server itself writes them down, line by line.

        Columns come first, in their order; the rest is sorted: SQLAlchemy makes the indexes of a table in any order.
        """
        with self._engine.begin() as connection:
            return {
                name: _lines(connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1])
                for name in self._metadata.tables
            }

    def modelled(self) -> Mapping[str, list[str]]:
        """The same of what the model would make; nothing of it stays."""
        self._metadata.create_all(self._engine)
        tables = self.tables()
        self._metadata.drop_all(self._engine)
        return tables


def _lines(created: str) -> list[str]:
    lines = [line.strip(" ,") for line in created.split("\n")]
    return sorted(lines, key=lambda line: "" if line.startswith("`") else line)


@contextmanager
def revisions(service: str, schema: Schema, metadata: MetaData) -> Iterator[Revisions]:
    engine = create_engine(schema.migration_url)
    yield Revisions(service, schema, metadata, engine)
    engine.dispose()
