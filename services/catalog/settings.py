from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CATALOG_")

    database_url: str
    service_token: str
    connections: int = 6


class MigrationSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CATALOG_")

    migration_url: str
