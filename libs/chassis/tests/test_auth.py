"""Whose tokens count is a setting, and what doesn't fit together is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from chassis.web.auth import DEVELOPMENT_ISSUER, AuthSettings
from harness.issuer import AUDIENCE, ISSUER, Issuer

OPEN = "anybody may do everything"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ISSUER", "JWKS", "AUDIENCE", "ROLE_CLAIM", "LEEWAY_SECONDS"):
        monkeypatch.delenv(f"AUTH_{name}", raising=False)
    monkeypatch.delenv("ENVIRONMENT", raising=False)


def test_without_an_issuer_the_system_is_open_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    access = AuthSettings().access({})

    assert access.tokens is None
    assert OPEN in caplog.text


async def test_with_an_issuer_its_tokens_count_as_they_are_set_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = Issuer(tmp_path / "jwks.json")
    (tmp_path / "issuer").write_text(f"{ISSUER}\n")
    for name, value in {
        "AUTH_ISSUER_FILE": str(tmp_path / "issuer"),
        "AUTH_JWKS": str(issuer.jwks),
        "AUTH_AUDIENCE": "another-system",
        "AUTH_ROLE_CLAIM": "groups",
        "ENVIRONMENT": "production",
    }.items():
        monkeypatch.setenv(name, value)

    access = AuthSettings().access({})

    assert access.tokens is not None
    token = issuer.token("alice", None, aud=[AUDIENCE, "another-system"], groups=["guests", "staff"])
    caller = await access.tokens.caller(f"Bearer {token}".encode())
    assert (caller.id, caller.role) == ("alice", "staff")
    assert OPEN not in caplog.text


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"AUTH_ISSUER": ISSUER}, "AUTH_ISSUER needs AUTH_JWKS"),
        ({"AUTH_JWKS": "/jwks.json"}, "AUTH_ISSUER needs AUTH_JWKS"),
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT=production needs AUTH_ISSUER"),
        ({"ENVIRONMENT": "production", "AUTH_ISSUER": DEVELOPMENT_ISSUER, "AUTH_JWKS": "/jwks.json"}, "development"),
        ({"ENVIRONMENT": "staging"}, "'development' or 'production'"),
        ({"AUTH_LEEWAY_SECONDS": "86400"}, "less than or equal to 300"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], complaint: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=complaint):
        AuthSettings()
