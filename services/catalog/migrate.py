from pathlib import Path

from catalog.settings import MigrationSettings
from chassis.database.migrations import upgrade


def run() -> None:
    upgrade("catalog", MigrationSettings().migration_url, Path(__file__).parent / "migrations")
