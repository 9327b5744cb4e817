"""What a service's revisions make of a schema, for tests that compare it with what the code speaks of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, text

from chassis.migrations import upgrade
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

    def stamp(self, revision: str | None) -> None:
        """Make the schema forget how far it has come, as a kill between a statement and its stamp does."""
        with self._engine.begin() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            if revision:
                connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    def stamped(self) -> list[str]:
        with self._engine.begin() as connection:
            return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())

    def tables(self) -> Mapping[str, set[str]]:
        """Columns, types, defaults, keys, checks and collations, as the server itself writes them down, line by line.

        A set: SQLAlchemy makes the indexes of a table in any order.
        """
        with self._engine.begin() as connection:
            return {
                name: {
                    line.strip(" ,")
                    for line in connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1].split("\n")
                }
                for name in self._metadata.tables
            }

    def modelled(self) -> Mapping[str, set[str]]:
        """The same of what the model would make; nothing of it stays."""
        self._metadata.create_all(self._engine)
        tables = self.tables()
        self._metadata.drop_all(self._engine)
        return tables


@contextmanager
def revisions(service: str, schema: Schema, metadata: MetaData) -> Iterator[Revisions]:
    engine = create_engine(schema.migration_url)
    yield Revisions(service, schema, metadata, engine)
    engine.dispose()
