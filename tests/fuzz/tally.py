"""What an attack did and found."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Tally:
    """`cases` are requests by route, as "catalog GET /api/v1/products"; `found` are whatever must not be, each once."""

    routes: list[str] = field(default_factory=list)
    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    found: dict[str, str] = field(default_factory=dict)

    def expect(self, routes: Iterable[str]) -> None:
        self.routes += [route for route in routes if route not in self.routes]

    def find(self, what: str, example: str) -> None:
        self.found.setdefault(what, example)

    @property
    def never_called(self) -> list[str]:
        return [route for route in self.routes if not self.cases[route]]

    @property
    def failed(self) -> bool:
        return bool(self.found or self.never_called)

    def lines(self) -> Iterable[str]:
        yield from (f"{self.cases[route]:8,}  {route}" for route in self.routes)
        yield f"{self.cases.total():8,}  requests"
        yield "answers: " + ", ".join(f"{count:,} of {status}" for status, count in sorted(self.statuses.items()))
        yield from (f"NEVER CALLED: {route}" for route in self.never_called)
        yield from (f"FOUND: {what}\n{example}" for what, example in self.found.items())
