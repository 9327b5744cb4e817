"""Catalog's private endpoints, as ordering sees them.

No answer, a reset, a 5xx: Unavailable, so what happened there is unknown, not failed. Any other odd answer: UnexpectedAnswer,
which is as unknown, but may be one order's fault.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import aiohttp
from pydantic import TypeAdapter, ValidationError

from chassis.problems import Unavailable
from chassis.process.crash_points import crash_point
from contracts.reservations import (
    MAX_RESERVATIONS,
    RESERVE_ANSWER,
    HeldAnswer,
    HeldLines,
    HoldersAnswer,
    OrderIds,
    Outcome,
    ReleaseAnswer,
    Reservation,
    ReserveRequest,
    StockProof,
    to_json,
)

Answer = TypeVar("Answer")

RELEASE_ANSWER = TypeAdapter(ReleaseAnswer)
STOCK_PROOF = TypeAdapter(StockProof)
HOLDERS_ANSWER = TypeAdapter(HoldersAnswer)
HELD_ANSWER = TypeAdapter(HeldAnswer)

RESERVE = "/private/reservations"
PROOF = "/private/stock-proof"
PROOF_SECONDS = 600.0  # it reads every movement there ever was


class UnexpectedAnswer(Exception):
    """Catalog answered something that the contract doesn't know."""


class CatalogClient:
    """Each call says how long it is waited for, so that catalog doesn't begin it later; it is `seconds` unless told."""

    def __init__(self, url: str, token: str, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    @cached_property
    def _http(self) -> aiohttp.ClientSession:
        """Made at the first call: it belongs to the loop that runs then.

        Idle connections are dropped sooner than catalog drains, so that a restart there cuts no request here.
        """
        return aiohttp.ClientSession(
            self._url,
            connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=2),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
        )

    async def reserve(self, wanted: Sequence[Reservation], seconds_left: float = math.inf) -> list[Outcome]:
        """Outcomes in the order asked."""
        request, seconds = to_json(ReserveRequest(list(wanted))), min(self._seconds, seconds_left)
        answer = _read(RESERVE, await self._exchange("POST", RESERVE, request, seconds), RESERVE_ANSWER)
        if [outcome.order_id for outcome in answer.outcomes] != [asked.order_id for asked in wanted]:
            raise UnexpectedAnswer("catalog answered for other orders than were asked")
        return answer.outcomes

    async def release(self, order_ids: Sequence[int]) -> list[int]:
        """The ids that hold no stock any more."""
        answer = await self._post("/private/releases", _ids(order_ids), RELEASE_ANSWER)
        return answer.released

    async def stock_proof(self) -> StockProof:
        return _read(PROOF, await self._exchange("GET", PROOF, None, PROOF_SECONDS), STOCK_PROOF)

    async def holders(self, after: int) -> HoldersAnswer:
        """Who holds stock among the next reservations by order id."""
        return await self._get(f"/private/reservations?after={after}&limit={MAX_RESERVATIONS}", HOLDERS_ANSWER)

    async def held(self, order_ids: Sequence[int]) -> list[HeldLines]:
        """What is held for each of these orders, in the order asked."""
        answer = await self._post("/private/reservations/held", _ids(order_ids), HELD_ANSWER)
        return answer.reservations

    async def check(self) -> None:
        await self._exchange("GET", "/readyz", None, self._seconds)

    async def close(self) -> None:
        await self._http.close()

    async def _post(self, path: str, request: bytes, answer: TypeAdapter[Answer]) -> Answer:
        return _read(path, await self._exchange("POST", path, request, self._seconds), answer)

    async def _get(self, path: str, answer: TypeAdapter[Answer]) -> Answer:
        return _read(path, await self._exchange("GET", path, None, self._seconds), answer)

    async def _exchange(self, method: str, path: str, content: bytes | None, seconds: float) -> bytes:
        crash_point("catalog_call.before")
        headers = {"X-Time-Left-Ms": str(math.ceil(seconds * 1000))}
        timeout = aiohttp.ClientTimeout(seconds, sock_connect=1.0)
        try:
            async with self._http.request(
                method, path, data=content, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"Catalog does not answer ({type(error).__name__})") from error
        crash_point("catalog_call.after")
        if response.status >= 500:
            raise Unavailable(f"Catalog answers {response.status}")
        if response.status != 200:
            raise UnexpectedAnswer(f"catalog answers {response.status} to {path}")
        return answer


def _ids(order_ids: Sequence[int]) -> bytes:
    return OrderIds(order_ids=list(order_ids)).model_dump_json().encode()


def _read(path: str, content: bytes, answer: TypeAdapter[Answer]) -> Answer:
    try:
        return answer.validate_json(content)
    except ValidationError as error:
        [first, *_] = error.errors(include_input=False, include_url=False)
        where = ".".join(str(part) for part in first["loc"])
        # From None: pydantic's own error says what was sent, and this one is logged.
        raise UnexpectedAnswer(f"catalog's answer to {path} can't be read: {where}: {first['msg']}") from None
