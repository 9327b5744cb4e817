from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Seconds are the budgets of one placement: client > gateway > `placing_seconds` > `catalog_seconds` > lock wait."""

    model_config = SettingsConfigDict(env_prefix="ORDERING_")

    database_url: str
    redis_url: str
    catalog_url: str
    fulfilment_url: str
    service_token: str
    connections: int = 6
    placing_seconds: float = 8.0
    catalog_seconds: float = 3.0


class MigrationSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ORDERING_")

    migration_url: str
