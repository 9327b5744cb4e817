"""Settings come from the environment, or, where `NAME_FILE` is set instead of `NAME`, from a file: for secrets."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource


class FileSource(PydanticBaseSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - as is asked
        path = os.environ.get(f"{self.config.get('env_prefix', '')}{field_name}_FILE".upper())
        return (Path(path).read_text().strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class FromEnvironment(BaseSettings):
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


def _apart(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _one_or_two(secrets: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(secrets) <= 2 or not all(secrets):
        raise ValueError("give one, or two with a comma between them while one replaces the other")
    return secrets


Credential = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_apart), AfterValidator(_one_or_two)]
