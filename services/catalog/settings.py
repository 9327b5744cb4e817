from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.migrations import upgrade


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CATALOG_")

    database_url: str
    service_token: str
    connections: int = 6


class MigrationSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CATALOG_")

    migration_url: str


def migrate() -> None:
    upgrade("catalog", MigrationSettings().migration_url, Path(__file__).parent / "migrations")
