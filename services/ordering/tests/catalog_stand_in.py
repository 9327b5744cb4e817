"""A stand-in for the neighbouring service: it decides as catalog does, and misbehaves when it is told to."""

import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Literal

from pydantic import BaseModel

from contracts.reservations import (
    MAX_RESERVATIONS,
    RESERVE_REQUEST,
    HeldAnswer,
    HeldLines,
    HoldersAnswer,
    OrderIds,
    Outcome,
    PricedLine,
    ReleaseAnswer,
    Reservation,
    ReserveAnswer,
    Result,
    Shortage,
    StockProof,
    to_json,
)

Mishap = Literal["no answer", "reset", "answer lost", "nonsense", "other orders"] | int

PRICE = Decimal("10.50")


class Broken(Exception):
    """This call can't be answered."""


@dataclass
class CatalogStandIn:
    """`mishaps` happen to the next calls, one each, `always` to all; `undecided` reserve calls get no decision.

    A call that names the order `broken_by` is answered 422. `asked` and `released` have the order ids of every call that
    got through; `unheard_of` are never confirmed. The proof takes `proof_takes` seconds. `told_times` are the milliseconds that
    the callers wait, as they say.
    """

    stock: dict[int, int] = field(default_factory=lambda: {1: 1000, 2: 1000})
    held: dict[int, dict[int, int]] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    mishaps: deque[Mishap] = field(default_factory=deque)
    always: Mishap | None = None
    asked: list[list[int]] = field(default_factory=list)
    released: list[list[int]] = field(default_factory=list)
    unheard_of: set[int] = field(default_factory=set)
    request_ids: dict[int, str | None] = field(default_factory=dict)
    undecided: int = 0
    broken_by: int = 0
    proof_takes: float = 0.0
    calls: int = 0
    told_times: list[int] = field(default_factory=list)
    closing: Event = field(default_factory=Event)
    one_at_a_time: Lock = field(default_factory=Lock)

    def mishap(self) -> Mishap | None:
        self.calls += 1
        return self.mishaps.popleft() if self.mishaps else self.always

    def answer(self, path: str, body: bytes) -> BaseModel | ReserveAnswer:
        with self.one_at_a_time:
            if path == "/private/reservations":
                return self._reserve(RESERVE_REQUEST.validate_json(body).reservations)
            if path == "/private/releases":
                return self._release(OrderIds.model_validate_json(body).order_ids)
            if path == "/private/stock-proof":
                self.closing.wait(self.proof_takes)
                return StockProof(products=len(self.stock), differences=[])
            if path == "/private/reservations/held":
                return self._held(OrderIds.model_validate_json(body).order_ids)
            if path.startswith("/private/reservations?after="):
                after = int(path.partition("after=")[2].partition("&")[0])
                ids = [id_ for id_ in sorted(self.held) if id_ > after][:MAX_RESERVATIONS]
                return HoldersAnswer(reservations=self._held(ids).reservations, through=ids[-1] if ids else None)
            return StockProof(products=0, differences=[])

    def _reserve(self, wanted: list[Reservation]) -> ReserveAnswer:
        self.asked.append([one.order_id for one in wanted])
        self.request_ids |= {one.order_id: one.request_id for one in wanted}
        if self.broken_by in self.asked[-1]:
            raise Broken
        if self.undecided:
            self.undecided -= 1
            return ReserveAnswer(outcomes=[Outcome(order_id=one.order_id, result=Result.UNDECIDED) for one in wanted])
        return ReserveAnswer(outcomes=[self.outcomes.get(one.order_id) or self._decide(one) for one in wanted])

    def _decide(self, wanted: Reservation) -> Outcome:
        told: dict[str, Any] = {"order_id": wanted.order_id, "decided_at": datetime.now(UTC)}
        missing = [line.product_id for line in wanted.lines if line.product_id not in self.stock]
        short = [line for line in wanted.lines if line.quantity > self.stock.get(line.product_id, 0)]
        total = sum((PRICE * line.quantity for line in wanted.lines), Decimal())
        if missing:
            outcome = Outcome(**told, result=Result.PRODUCT_NOT_FOUND, missing=missing)
        elif wanted.expected_total not in {None, total}:
            outcome = Outcome(**told, result=Result.PRICE_CHANGED, total=total)
        elif short:
            shortages = [
                Shortage(product_id=line.product_id, requested=line.quantity, available=self.stock[line.product_id])
                for line in short
            ]
            outcome = Outcome(**told, result=Result.INSUFFICIENT_STOCK, shortages=shortages)
        else:
            lines = [PricedLine(**vars(line), unit_price=PRICE) for line in wanted.lines]
            outcome = Outcome(**told, result=Result.HELD, lines=lines, total=total)
            self.held[wanted.order_id] = {line.product_id: line.quantity for line in wanted.lines}
            for line in wanted.lines:
                self.stock[line.product_id] -= line.quantity
        self.outcomes[wanted.order_id] = outcome
        return outcome

    def _release(self, order_ids: list[int]) -> ReleaseAnswer:
        self.released.append(order_ids)
        for order_id in order_ids:
            for product_id, quantity in self.held.pop(order_id, {}).items():
                self.stock[product_id] += quantity
        return ReleaseAnswer(released=[order_id for order_id in order_ids if order_id not in self.unheard_of])

    def _held(self, order_ids: list[int]) -> HeldAnswer:
        return HeldAnswer(
            reservations=[
                HeldLines.model_validate(
                    {
                        "order_id": id_,
                        "lines": [{"product_id": p, "quantity": q} for p, q in self.held.get(id_, {}).items()],
                    }
                )
                for id_ in order_ids
            ]
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "StandInServer"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        stand_in = self.server.stand_in
        stand_in.told_times.append(int(self.headers.get("X-Time-Left-Ms") or 0))
        mishap = stand_in.mishap()
        if mishap == "no answer":
            stand_in.closing.wait(2)
            self._reset()
        elif mishap == "reset":
            self._reset()
        elif mishap == "nonsense":
            self._send(200, b'{"outcomes": 7')
        elif mishap == "other orders":
            self._send(200, b'{"outcomes": [], "released": []}')
        elif isinstance(mishap, int):
            self._send(mishap, b'{"detail": "as told"}')
        else:
            try:
                answer = stand_in.answer(self.path, body)
            except Broken:
                self._send(422, b"{}")
                return
            if mishap == "answer lost":
                self._reset()
            else:
                told = answer.model_dump_json().encode() if isinstance(answer, BaseModel) else to_json(answer)
                self._send(200, told)

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        """RST instead of an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


class StandInServer(ThreadingHTTPServer):
    """One for all tests; each test gets a stand-in of its own behind the same address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.stand_in = CatalogStandIn()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news."""

    @contextmanager
    def fresh(self) -> Iterator[CatalogStandIn]:
        self.stand_in = CatalogStandIn()
        yield self.stand_in
        self.stand_in.closing.set()


@contextmanager
def serving() -> Iterator[StandInServer]:
    server = StandInServer()
    thread = Thread(target=lambda: server.serve_forever(poll_interval=0.02))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
