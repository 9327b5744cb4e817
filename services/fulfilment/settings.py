from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import Credential, FromEnvironment
from chassis.web.auth import AuthSettings


class Settings(FromEnvironment):
    """`most_in_flight` bounds the orders one worker holds; what waits beyond it waits in the stream."""

    model_config = SettingsConfigDict(env_prefix="FULFILMENT_")

    database_url: str
    database_password: str = ""
    redis_url: str
    redis_password: str = ""
    operator_tokens: Credential
    connections: int = 6
    processing_seconds: float = 5.0
    step_timeout_seconds: float = 60.0
    most_failures: int = 5
    most_in_flight: int = 20_000
    auth: AuthSettings = Field(default_factory=AuthSettings)


class MigrationSettings(FromEnvironment):
    model_config = SettingsConfigDict(env_prefix="FULFILMENT_")

    migration_url: str
    migration_password: str = ""
