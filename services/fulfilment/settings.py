from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`most_in_flight` bounds the orders one worker holds; what waits beyond it waits in the stream."""

    model_config = SettingsConfigDict(env_prefix="FULFILMENT_")

    database_url: str
    redis_url: str
    service_token: str
    connections: int = 6
    processing_seconds: float = 5.0
    step_timeout_seconds: float = 60.0
    most_failures: int = 5
    most_in_flight: int = 20_000


class MigrationSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FULFILMENT_")

    migration_url: str
