from pathlib import Path

from chassis.database.migrations import upgrade
from ordering.settings import MigrationSettings


def run() -> None:
    upgrade("ordering", MigrationSettings().migration_url, Path(__file__).parent / "migrations")
