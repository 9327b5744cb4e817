"""Settings come from the environment, or, where `NAME_FILE` is set instead of `NAME`, from a file: for secrets."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource

# What was well known before, such as a user's own name, is shorter; what infra/secrets/make.sh makes has 64.
SHORTEST_SECRET = 32


class FileSource(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - as is asked
        path = os.environ.get(f"{self.config.get('env_prefix', '')}{field_name}_FILE".upper())
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class FromEnvironment(BaseSettings):
    """A setting `…_password` is put into the setting `…_url`; names that end in `_token` or `_tokens` are secrets too."""

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias=AliasChoices("environment", "ENVIRONMENT")
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - there is none
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - those know no NAME_FILE
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls)

    @model_validator(mode="after")
    def join_passwords_with_urls(self) -> Self:
        for name in type(self).model_fields:
            if name.endswith("_password") and (password := getattr(self, name)):
                url = name.removesuffix("password") + "url"
                setattr(self, url, _with_password(getattr(self, url), password))
        return self

    @model_validator(mode="after")
    def be_safe_in_production(self) -> Self:
        weak = [name for name, secret in self._secrets() if len(secret) < SHORTEST_SECRET]
        if self.environment == "production" and weak:
            names = ", ".join(f"{self.model_config.get('env_prefix', '')}{name}".upper() for name in weak)
            raise ValueError(
                f"ENVIRONMENT=production takes no secret of fewer than {SHORTEST_SECRET} characters; set {names}"
            )
        return self

    def _secrets(self) -> Iterator[tuple[str, str]]:
        """By setting. Whoever is reached by http is shown a token instead of a password."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name.endswith("_tokens"):
                yield from ((name, token) for token in value)
            elif name.endswith("token"):
                yield name, value
            elif name.endswith("_url") and not value.startswith("http"):
                yield name.removesuffix("url") + "password", urlsplit(value).password or ""


def _with_password(url: str, password: str) -> str:
    user, at, server = url.partition("@")
    if not at:
        raise ValueError("a password is given for a user whom its URL does not name")
    return f"{user}:{quote(password, safe='')}@{server}"


def _apart(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _one_or_two(secrets: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(secrets) <= 2 or not all(secrets):
        raise ValueError("give one, or two with a comma between them while one replaces the other")
    return secrets


Credential = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_apart), AfterValidator(_one_or_two)]
