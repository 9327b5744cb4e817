"""Tokens for people at the keyboard: made from a key pair that is there from the first on, and that nobody else can read."""

import base64
import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import jwt
import pytest

from chassis.problems import Unauthenticated
from chassis.web.access import Access, Caller, Role, roles
from chassis.web.auth import AuthSettings
from local.development_issuer import DevelopmentIssuer
from local.topology import ROOT


def trusting(issuer: DevelopmentIssuer) -> Access:
    """As a service makes it of its environment."""
    told = {name.removeprefix("AUTH_").lower(): value for name, value in issuer.environment().items()}
    return AuthSettings.model_validate(told).access({"GET /": roles(*Role)})


async def caller(access: Access, token: str) -> Caller:
    assert access.tokens is not None
    return await access.tokens.caller(f"Bearer {token}".encode())


@pytest.mark.parametrize("role", list(Role))
async def test_who_trusts_it_knows_the_subject_and_the_role_of_its_tokens(tmp_path: Path, role: Role) -> None:
    issuer = DevelopmentIssuer(tmp_path / "auth")

    token = issuer.token(role, "alice")

    assert await caller(trusting(issuer), token) == Caller("alice", role)


AT_ONCE = 8


@pytest.mark.parametrize("go", range(5))
async def test_the_key_is_made_once_also_by_several_at_the_same_time(tmp_path: Path, go: int) -> None:
    issuer, start = DevelopmentIssuer(tmp_path / "auth"), Barrier(AT_ONCE)

    def token(_number: int) -> str:
        start.wait()
        return issuer.token(Role.STAFF, "sam")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        tokens = list(threads.map(token, range(AT_ONCE)))

    access = trusting(issuer)
    assert {await caller(access, token) for token in tokens} == {Caller("sam", Role.STAFF)}


def test_another_key_has_another_id_so_that_who_knows_the_old_one_looks_for_it(tmp_path: Path) -> None:
    tokens = [DevelopmentIssuer(tmp_path / name).token(Role.STAFF, "sam") for name in ("one", "two", "one")]

    first, second, again = (jwt.get_unverified_header(token)["kid"] for token in tokens)
    assert first == again != second


async def test_one_that_has_ended_and_one_of_another_key_are_refused(tmp_path: Path) -> None:
    issuer, other = DevelopmentIssuer(tmp_path / "auth"), DevelopmentIssuer(tmp_path / "other")

    for token in (issuer.token(Role.STAFF, "sam", hours=-1), other.token(Role.STAFF, "sam")):
        with pytest.raises(Unauthenticated):
            await caller(trusting(issuer), token)


def test_the_private_key_is_for_its_owner_alone_and_not_in_the_public_file(tmp_path: Path) -> None:
    issuer = DevelopmentIssuer(tmp_path / "auth")
    issuer.environment()

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in issuer.directory.iterdir()}
    [public] = json.loads(issuer.jwks.read_text())["keys"]
    assert (modes["private.pem"], modes["jwks.json"]) == (0o600, 0o644)
    assert "d" not in public


def test_the_command_prints_a_token_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.issue_token", "--role", "customer", "--subject", "alice", "--hours", "2"],
        env={**os.environ, "LOCAL_DIR": str(tmp_path), "PYTHONPATH": f"{ROOT / 'libs'}{os.pathsep}{ROOT / 'infra'}"},
        capture_output=True,
        text=True,
        check=True,
    )

    [token] = done.stdout.splitlines()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["sub"], claims["role"]) == ("alice", "customer")
