"""Migrated, empty schemas for the tests, cheaply: migrations run once, then only rows go."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

from chassis.database.migrations import upgrade
from harness.engine import MySQLServer

SERVICES = ("catalog", "ordering", "fulfilment")
ROOT = Path(__file__).parents[2]
SCRATCH = "scratch"
TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}' "
    "AND table_type = 'BASE TABLE' AND table_name <> 'alembic_version'"
)


@dataclass(frozen=True)
class Schema:
    """`url` is that of the user that runs the service, `migration_url` that of the one that migrates it."""

    name: str
    url: str
    migration_url: str


@dataclass
class Schemas:
    server: MySQLServer
    _migrated: set[str] = field(default_factory=set)

    def of(self, service: str) -> Schema:
        run, migrate = f"{service}_run", f"{service}_migrate"
        return Schema(service, self.server.url(run, service), self.server.url(migrate, service))

    def empty(self, service: str) -> Schema:
        """That of a service: up to date, without a row, ids from 1, and nobody else connected."""
        schema = self.of(service)
        self._disconnect(service)
        if service not in self._migrated:
            upgrade(service, schema.migration_url, ROOT / "services" / service / "migrations")
            self._migrated.add(service)
        self._truncate(service)
        return schema

    def fresh(self, service: str) -> Schema:
        """That of a service, before its first migration."""
        self._migrated.discard(service)
        self._disconnect(service)
        self.server.execute(
            f"DROP DATABASE {service}; CREATE DATABASE {service} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )
        return self.of(service)

    def scratch(self) -> Schema:
        """A schema of no service, without a table; its one user may do all in it."""
        self._disconnect(SCRATCH)
        self.server.execute(
            f"DROP DATABASE IF EXISTS {SCRATCH}; CREATE DATABASE {SCRATCH} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
            f"CREATE USER IF NOT EXISTS '{SCRATCH}'@'%' IDENTIFIED BY '{SCRATCH}';"
            f"GRANT ALL PRIVILEGES ON {SCRATCH}.* TO '{SCRATCH}'@'%'"
        )
        url = self.server.url(SCRATCH, SCRATCH)
        return Schema(SCRATCH, url, url)

    def _disconnect(self, schema: str) -> None:
        """What an earlier test left open may hold locks that would keep us waiting."""
        left = self.server.execute(f"SELECT id FROM information_schema.processlist WHERE user LIKE '{schema}%'")
        for (id_,) in left:
            with suppress(pymysql.err.OperationalError):  # it ended by itself meanwhile
                self.server.execute(f"KILL {id_}")

    def _truncate(self, schema: str) -> None:
        """TRUNCATE is slow, so it is for tables with rows alone."""
        tables = [name for (name,) in self.server.execute(TABLES.format(schema=schema))]
        used = [name for name in tables if self.server.execute(f"SELECT 1 FROM {schema}.`{name}` LIMIT 1")]
        truncate = "".join(f"TRUNCATE {schema}.`{name}`; " for name in used)
        self.server.execute(f"SET foreign_key_checks = 0; {truncate} SET foreign_key_checks = 1")
