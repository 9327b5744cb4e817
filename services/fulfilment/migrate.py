from pathlib import Path

from chassis.database.migrations import upgrade
from fulfilment.settings import MigrationSettings


def run() -> None:
    upgrade("fulfilment", MigrationSettings().migration_url, Path(__file__).parent / "migrations")
