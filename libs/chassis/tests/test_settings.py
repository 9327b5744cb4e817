"""Where a password goes, and which secrets production refuses."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from chassis.process.settings import Credential, FromEnvironment

STRONG = "0123456789abcdef" * 2


class Settings(FromEnvironment):
    model_config = SettingsConfigDict(env_prefix="SHOP_")

    database_url: str = f"mysql+pymysql://shop:{STRONG}@localhost:3306/shop"
    database_password: str = ""
    neighbour_url: str = "http://neighbour:8000"
    neighbour_token: str = STRONG
    operator_tokens: Credential = (STRONG,)


def test_a_password_from_a_file_is_put_into_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("a/b@c\n")
    monkeypatch.setenv("SHOP_DATABASE_PASSWORD_FILE", str(tmp_path / "password"))

    settings = Settings(database_url="mysql+pymysql://shop@localhost:3306/shop?ssl_disabled=true")

    assert settings.database_url == "mysql+pymysql://shop:a%2Fb%40c@localhost:3306/shop?ssl_disabled=true"


def test_a_password_for_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="a user whom its URL does not name"):
        Settings(database_url="mysql+pymysql://localhost/shop", database_password=STRONG)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"database_url": "mysql+pymysql://shop:shop@localhost/shop"}, "SHOP_DATABASE_PASSWORD"),
        ({"database_url": "mysql+pymysql://shop@localhost/shop"}, "SHOP_DATABASE_PASSWORD"),
        (
            {"database_url": "mysql+pymysql://shop@localhost/shop", "database_password": "x" * 31},
            "SHOP_DATABASE_PASSWORD",
        ),
        ({"neighbour_token": "local-token"}, "SHOP_NEIGHBOUR_TOKEN"),
        ({"operator_tokens": (STRONG, "short")}, "SHOP_OPERATOR_TOKENS"),
    ],
)
def test_production_refuses_secrets_made_for_development(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    Settings.model_validate(given)
    monkeypatch.setenv("ENVIRONMENT", "production")

    with pytest.raises(ValidationError, match=f"takes no secret of fewer than 32 characters; set {named}\\b"):
        Settings.model_validate(given)


def test_production_takes_secrets_that_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")

    assert Settings().environment == "production"
