"""What the environment says about the gateway, and what of it makes no sense."""

from pathlib import Path

import pytest

from local.errors import LocalError
from local.gateway_settings import GatewaySettings, Tls

CERTIFICATE, KEY = "GATEWAY_TLS_CERTIFICATE", "GATEWAY_TLS_KEY"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWAY_RATE", "GATEWAY_CONNECTIONS", CERTIFICATE, KEY, "GATEWAY_TLS_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_there_is_no_tls_and_much_is_let_through() -> None:
    assert GatewaySettings.from_environment() == GatewaySettings(rate=20_000, connections=2_048, tls=None)


def test_each_is_one_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"GATEWAY_RATE": "50", "GATEWAY_CONNECTIONS": "7", "GATEWAY_TLS_PORT": "9443"}.items():
        monkeypatch.setenv(name, value)
    for name in (CERTIFICATE, KEY):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))

    settings = GatewaySettings.from_environment()

    assert settings == GatewaySettings(50, 7, Tls(tmp_path / CERTIFICATE, tmp_path / KEY, 9443))


@pytest.mark.parametrize("given", [CERTIFICATE, KEY])
def test_half_of_what_tls_needs_is_one_sentence(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(given, __file__)

    with pytest.raises(LocalError, match=f"TLS needs {CERTIFICATE} and {KEY}"):
        GatewaySettings.from_environment()


@pytest.mark.parametrize("name", ["GATEWAY_RATE", "GATEWAY_CONNECTIONS"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_limit_that_makes_no_sense_is_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(LocalError, match=f"{name}={value} makes no sense"):
        GatewaySettings.from_environment()
