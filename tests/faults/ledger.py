"""What the clients saw, kept by key and by order, and judged as it comes in."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

# The ways an order may go, as the plan tells them: written down here again, because the checker trusts no code it checks.
NEXT = {
    "pending": {"placed", "rejected"},
    "placed": {"fulfilled", "failed", "cancelling"},
    "failed": {"placed", "cancelling"},
    "cancelling": {"releasing", "fulfilled", "failed"},
    "releasing": {"cancelled"},
}
FINAL = frozenset({"fulfilled", "cancelled", "rejected", "failed"})


def reachable(start: str, end: str) -> bool:
    """Whether an order seen in `start` may be seen in `end` later."""
    seen, open_ = {start}, [start]
    while open_:
        for state in NEXT.get(open_.pop(), set()) - seen:
            seen.add(state)
            open_.append(state)
    return end in seen


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


Identity = tuple[str, str]  # whose key it is, and the key


@dataclass
class Placement:
    """One key of a customer: what was asked under it, and every definite answer that came back."""

    key: str
    lines: Sequence[tuple[int, int]]
    answers: list[Answer] = field(default_factory=list)
    unknown: int = 0
    not_accepted: int = 0
    sent: int = 0
    order_id: int | None = None
    expected_total: float | None = None
    customer: str = ""

    @property
    def identity(self) -> Identity:
        return self.customer, self.key

    @property
    def acknowledged(self) -> bool:
        return any(answer.status == 201 for answer in self.answers)

    @property
    def refused(self) -> bool:
        return any(answer.status in {400, 409} for answer in self.answers)


@dataclass
class Wait:
    """A client's wait for the answer to a placement, from when until when in seconds of this process's own clock."""

    product_ids: frozenset[int]
    since: float
    until: float | None = None  # None: it waits still
    refused: bool = False  # no answer, or one that says that something is away


@dataclass
class Adjustment:
    product_id: int
    delta: int
    reason: str
    applied: bool | None = None  # None: nobody told


@dataclass
class Ledger:
    placements: dict[Identity, Placement] = field(default_factory=dict)
    customers: dict[int, str] = field(default_factory=dict)  # by order, as soon as an answer names it
    shown: set[tuple[str, int]] = field(
        default_factory=set
    )  # a customer, and an order that he was shown or could touch
    hidden: int = 0  # how often an order of another customer was said not to exist
    adjustments: list[Adjustment] = field(default_factory=list)
    flash_sales: dict[int, int] = field(default_factory=dict)
    initial: dict[int, int] = field(default_factory=dict)
    seen: dict[int, tuple[str, float]] = field(default_factory=dict)
    cancels: Counter[int] = field(default_factory=Counter)
    redriven: set[int] = field(default_factory=set)
    forced: set[int] = field(default_factory=set)  # cancelled by force, as the answer said
    perhaps_forced: set[int] = field(default_factory=set)  # those, and those whose answer got lost
    early_cancels: dict[int, bool] = field(default_factory=dict)  # whether nothing was broken when it was asked for
    discontinued: int = 0
    too_late: dict[int, str] = field(default_factory=dict)
    waits: list[Wait] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    errors: list[tuple[float, str]] = field(default_factory=list)
    in_flight: int = 0
    calm: bool = False  # nothing is broken at this moment

    def placement(self, wanted: Placement) -> Placement:
        """The one under its key, which this one is if nobody has used that yet."""
        return self.placements.setdefault(wanted.identity, wanted)

    @contextmanager
    def request(self) -> Iterator[None]:
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def violation(self, sentence: str) -> None:
        self.violations.append(sentence)

    def violated(self, sentences: list[str]) -> None:
        """Those not known yet: what is broken for long is seen every second."""
        self.violations += [sentence for sentence in sentences if sentence not in self.violations]

    @contextmanager
    def wait(self, product_ids: frozenset[int]) -> Iterator[Wait]:
        wait = Wait(product_ids, time.monotonic())
        self.waits.append(wait)
        try:
            yield wait
        finally:
            wait.until = time.monotonic()

    def error(self, what: str) -> None:
        """A client got no answer, or one that says that something is away."""
        self.errors.append((time.monotonic(), what))
        self.statuses[what] += 1

    def errors_since(self, moment: float) -> list[str]:
        return [what for at, what in self.errors if at >= moment]

    def answered(self, placement: Placement, answer: Answer, order_id: int | None) -> None:
        """A definite answer to a placement: the first is kept, every later one must be equal to it."""
        self.statuses[f"{answer.status} placing"] += 1
        if placement.answers and placement.answers[0] != answer:
            self.violation(f"key {placement.key}: {placement.answers[0]} and then {answer}")
        placement.answers.append(answer)
        self.named(placement, order_id)

    def named(self, placement: Placement, order_id: int | None) -> None:
        """An answer, definite or not, says which order belongs to the key."""
        if order_id is None:
            return
        if placement.order_id not in {None, order_id}:
            self.violation(f"key {placement.key}: order {placement.order_id} and then {order_id}")
        placement.order_id = order_id
        self.customers[order_id] = placement.customer

    def saw(self, order_id: int, state: str, asked_at: float) -> None:
        """Two sightings are in order when the second was asked for after the first had come."""
        last = self.seen.get(order_id)
        if last is not None and last[1] <= asked_at and not reachable(last[0], state):
            self.violation(f"order {order_id} went from {last[0]} back to {state}")
        if last is None or last[1] <= asked_at:
            self.seen[order_id] = (state, time.monotonic())

    @property
    def acknowledged(self) -> list[Placement]:
        return [placement for placement in self.placements.values() if placement.acknowledged]

    @property
    def refused(self) -> list[Placement]:
        return [placement for placement in self.placements.values() if placement.refused]

    @property
    def unknown(self) -> list[Placement]:
        """Those whose client was left without an answer at least once."""
        return [placement for placement in self.placements.values() if placement.unknown]

    def acknowledged_ids(self) -> list[int]:
        return [placement.order_id for placement in self.acknowledged if placement.order_id is not None]
