from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import Credential, FromEnvironment
from chassis.web.auth import AuthSettings


class Settings(FromEnvironment):
    model_config = SettingsConfigDict(env_prefix="CATALOG_")

    database_url: str
    database_password: str = ""
    ordering_tokens: Credential
    connections: int = 6
    auth: AuthSettings = Field(default_factory=AuthSettings)


class MigrationSettings(FromEnvironment):
    model_config = SettingsConfigDict(env_prefix="CATALOG_")

    migration_url: str
    migration_password: str = ""
