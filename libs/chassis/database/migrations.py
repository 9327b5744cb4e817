"""Bringing a schema up to date, before anything else of the service starts.

MySQL commits each DDL statement by itself, so a revision holds one guarded statement: killed midway, it runs again. Several
may start at once: a named lock lets one go first. A schema newer than this code is fine: changes only add.
"""

import logging
import time
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, exc, text
from sqlalchemy.pool import NullPool

log = logging.getLogger(__name__)

LOCK_SECONDS = 60
WAIT_FOR_SERVER_SECONDS = 60


class MigrationFailed(SystemExit):
    """One sentence for whoever started the process; exits with status 1."""


def upgrade(service: str, url: str, directory: Path) -> None:
    """Run the revisions under `directory` that the schema at `url` doesn't have yet."""
    engine = create_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2, "charset": "utf8mb4"}
    )
    with _connected(engine, service) as connection:
        _upgrade(connection, service, directory)


def _connected(engine: Engine, service: str) -> Connection:
    give_up_at = time.monotonic() + WAIT_FOR_SERVER_SECONDS
    while True:
        try:
            return engine.connect()
        except exc.OperationalError as error:
            if time.monotonic() > give_up_at:
                raise MigrationFailed(f"{service}: the database does not answer: {error.orig}") from None
            time.sleep(0.5)


def _upgrade(connection: Connection, service: str, directory: Path) -> None:
    lock = f"migrate:{service}"
    if not connection.execute(
        text("SELECT GET_LOCK(:lock, :seconds)"), {"lock": lock, "seconds": LOCK_SECONDS}
    ).scalar():
        raise MigrationFailed(f"{service}: another migration has held the lock for {LOCK_SECONDS} s")
    connection.execute(text("SET SESSION lock_wait_timeout = 10"))
    config = Config()
    config.set_main_option("script_location", str(directory))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        log.warning("schema %s is at %s, newer than this version knows; left as it is", service, current)
        return
    command.upgrade(config, "head")
    log.info("schema %s is at %s", service, scripts.get_current_head())


def run_revisions() -> None:
    """What each service's `migrations/env.py` does: the revisions, on the connection that holds the lock."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()
