"""The issuer changes its keys, and goes away, while we run."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chassis.problems import Unauthenticated, Unavailable
from chassis.web.access import Caller, Role
from chassis.web.signing_keys import ASK_AGAIN_SECONDS, REFRESH_SECONDS, STALE_SECONDS
from chassis.web.tokens import JwtTokens
from harness.issuer import Issuer, KeyServer, publishing


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "jwks.json")


@pytest.fixture
def server(issuer: Issuer) -> Iterator[KeyServer]:
    with publishing(issuer) as server:
        yield server


@pytest.fixture(params=["a file", "an address"])
def tokens(issuer: Issuer, request: pytest.FixtureRequest) -> JwtTokens:
    """That go by the issuer's file, and by what its server says."""
    return issuer.tokens(None if request.param == "a file" else request.getfixturevalue("server").url)


def authorization(issuer: Issuer, key_id: str = "first") -> bytes:
    return issuer.headers(key_id=key_id)["Authorization"].encode()


def let_pass(tokens: JwtTokens, seconds: float) -> None:
    """As if its keys had been read that much longer ago, and a moment more."""
    tokens._keys._tried_at -= seconds + 0.001


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.005)


async def test_a_new_key_counts_at_once(issuer: Issuer, tokens: JwtTokens) -> None:
    old = authorization(issuer)
    await tokens.caller(old)
    let_pass(tokens, ASK_AGAIN_SECONDS)

    issuer.add("second")

    assert (await tokens.caller(authorization(issuer, "second"))).id == "alice"
    assert (await tokens.caller(old)).id == "alice"


async def test_a_key_that_was_removed_ends_its_tokens_also_those_remembered(issuer: Issuer, tokens: JwtTokens) -> None:
    issuer.add("second")
    old, new = authorization(issuer), authorization(issuer, "second")
    for one in (old, new):
        await tokens.caller(one)
    issuer.publish({"second": issuer.published["second"]})

    let_pass(tokens, REFRESH_SECONDS)
    assert tokens.known(new) == Caller("alice", Role.CUSTOMER), "nobody waits for a refresh"
    await until(lambda: tokens.known(old) is None)

    with pytest.raises(Unauthenticated):
        await tokens.caller(old)
    assert (await tokens.caller(new)).id == "alice"


async def test_after_a_quiet_time_nobody_comes_in_by_a_key_that_was_removed_meanwhile(
    issuer: Issuer, tokens: JwtTokens
) -> None:
    remembered, unseen = authorization(issuer), issuer.headers("bob")["Authorization"].encode()
    await tokens.caller(remembered)
    issuer.publish({})

    let_pass(tokens, STALE_SECONDS)

    outcomes = await asyncio.gather(*(tokens.caller(one) for one in (remembered, unseen) * 3), return_exceptions=True)
    assert {type(outcome).__name__ for outcome in outcomes} == {"InvalidToken"}


async def test_a_key_that_is_another_under_its_old_name_is_the_new_one(issuer: Issuer, tokens: JwtTokens) -> None:
    old = authorization(issuer)
    await tokens.caller(old)
    issuer.add("first")

    let_pass(tokens, STALE_SECONDS)

    assert (await tokens.caller(authorization(issuer))).id == "alice"
    with pytest.raises(Unauthenticated):
        await tokens.caller(old)


@pytest.mark.parametrize("trouble", ["an error", "nobody there", "no JSON", "other JSON", "keys that are none"])
async def test_while_the_issuer_is_away_the_known_keys_go_on(
    issuer: Issuer, server: KeyServer, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = issuer.tokens(server.url)
    await tokens.caller(authorization(issuer))
    said = {"no JSON": b"<html>", "other JSON": b"[]", "keys that are none": b'{"keys": 7}'}
    server.is_away, server.instead = trouble == "an error", said.get(trouble)
    if trouble == "nobody there":
        server.stop()

    let_pass(tokens, STALE_SECONDS)

    assert (await tokens.caller(issuer.headers("bob")["Authorization"].encode())).id == "bob"
    assert f"the keys at {server.url} can't be had" in caplog.text


async def test_without_any_keys_nobody_can_be_told_from_anybody(issuer: Issuer) -> None:
    issuer.jwks.unlink()
    tokens = issuer.tokens()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await tokens.caller(authorization(issuer))

    issuer.publish(issuer.published)
    let_pass(tokens, ASK_AGAIN_SECONDS)

    assert (await tokens.caller(authorization(issuer))).id == "alice"


async def test_all_who_come_before_the_keys_are_there_wait_for_one_answer(issuer: Issuer, server: KeyServer) -> None:
    tokens = issuer.tokens(server.url)

    callers = await asyncio.gather(*(tokens.caller(authorization(issuer)) for _ in range(20)))

    assert {caller.id for caller in callers} == {"alice"}
    assert server.asked == 1


async def test_made_up_key_ids_do_not_make_us_ask_for_each(issuer: Issuer, server: KeyServer) -> None:
    tokens = issuer.tokens(server.url)
    issuer.keys |= {f"made up {n}": issuer.keys["first"] for n in range(50)}
    made_up = [authorization(issuer, f"made up {n}") for n in range(50)]
    await tokens.caller(authorization(issuer))

    for one in made_up:
        with pytest.raises(Unauthenticated):
            await tokens.caller(one)
    assert server.asked == 1

    let_pass(tokens, ASK_AGAIN_SECONDS)
    outcomes = await asyncio.gather(*(tokens.caller(one) for one in made_up), return_exceptions=True)
    assert {type(outcome).__name__ for outcome in outcomes} == {"InvalidToken"}
    assert server.asked == 2


async def test_keys_come_from_the_address_that_was_set_and_nowhere_else(issuer: Issuer, server: KeyServer) -> None:
    with publishing(issuer) as elsewhere:
        server.leads_to = elsewhere.url

        with pytest.raises(Unavailable):
            await issuer.tokens(server.url).caller(authorization(issuer))

        assert (server.asked, elsewhere.asked) == (1, 0)
