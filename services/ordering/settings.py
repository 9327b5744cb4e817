from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import Credential, FromEnvironment
from chassis.web.auth import AuthSettings


class Settings(FromEnvironment):
    """Seconds are the budgets of one placement: client > gateway > `placing_seconds` > `catalog_seconds` > lock wait.

    Without `orders_per_customer_per_minute` (0) a customer may call as often as he likes.
    """

    model_config = SettingsConfigDict(env_prefix="ORDERING_")

    database_url: str
    database_password: str = ""
    redis_url: str
    redis_password: str = ""
    catalog_url: str
    fulfilment_url: str
    catalog_token: str
    operator_tokens: Credential
    connections: int = 6
    placing_seconds: float = 8.0
    catalog_seconds: float = 3.0
    orders_per_customer_per_minute: int = Field(default=600, ge=0, le=1_000_000)
    auth: AuthSettings = Field(default_factory=AuthSettings)


class MigrationSettings(FromEnvironment):
    model_config = SettingsConfigDict(env_prefix="ORDERING_")

    migration_url: str
    migration_password: str = ""
