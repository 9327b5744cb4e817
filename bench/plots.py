"""Small line charts as SVG, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from bench.cells import CLIENTS
from bench.results import Results, Spread

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 45
COLOURS = ("#2563eb", "#dc2626", "#16a34a", "#9333ea", "#d97706", "#0891b2", "#be185d", "#4d7c0f", "#6b7280")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#374151}.title{font-size:15px;font-weight:600}"
    ".grid{stroke:#9ca3af;stroke-opacity:.35}@media(prefers-color-scheme:dark){text{fill:#d1d5db}}"
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """`ticks` are the places on the x axis that get a label; with `logarithmic` y goes by powers of ten."""

    title: str
    x: str
    ticks: Mapping[float, str]
    lines: Mapping[str, Points]
    logarithmic: bool = False

    def svg(self) -> str:
        body = [*self._frame(), *(part for n, name in enumerate(self.lines) for part in self._line(n, name))]
        size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        return "\n".join(
            [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', f"<style>{STYLE}</style>", *body, "</svg>", ""]
        )

    def _levels(self) -> list[float]:
        top = max((y for points in self.lines.values() for _, y in points), default=1) or 1
        if self.logarithmic:
            lowest = min(y for points in self.lines.values() for _, y in points if y > 0)
            powers = range(int(log10(lowest) // 1), int(-(-log10(top) // 1)) + 1)
            return [10.0**power for power in powers]
        step = _round_step(top / 4)
        return [step * n for n in range(int(top // step) + 2)]

    def _at(self, x: float, y: float) -> tuple[float, float]:
        levels, places = self._levels(), list(self.ticks)
        across = (x - places[0]) / ((places[-1] - places[0]) or 1)
        if self.logarithmic:
            up = (log10(max(y, levels[0])) - log10(levels[0])) / (log10(levels[-1]) - log10(levels[0]))
        else:
            up = y / levels[-1]
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def _frame(self) -> list[str]:
        parts = [f'<text class="title" x="{LEFT}" y="22">{escape(self.title)}</text>']
        for level in self._levels():
            _, y = self._at(next(iter(self.ticks)), level)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{level:,g}</text>')
        for place, label in self.ticks.items():
            x, _ = self._at(place, self._levels()[0])
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(label)}</text>')
        middle = (LEFT + WIDTH - RIGHT) / 2
        return [*parts, f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x)}</text>']

    def _line(self, n: int, name: str) -> list[str]:
        colour, y = COLOURS[n % len(COLOURS)], TOP + 6 + 20 * n
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (self._at(*point) for point in self.lines[name]))
        return [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 6}" width="12" height="4" fill="{colour}"/>',
            f'<text x="{WIDTH - RIGHT + 32}" y="{y}">{escape(name)}</text>',
        ]


def _round_step(step: float) -> float:
    power: float = 10.0 ** (log10(step) // 1)
    return next(power * times for times in (1, 2, 5, 10) if power * times >= step)


def charts(found: Results) -> dict[str, Chart]:
    """By file name."""
    made: dict[str, Chart] = {}
    subjects = [subject for subject in ("noop", "usual", "ours") if found.of(subject, "place", CLIENTS[-1])]
    if subjects:
        ticks = {float(n): str(clients) for n, clients in enumerate(CLIENTS)}
        rates = {subject: _by_clients(found, subject, "rate") for subject in subjects}
        times = {subject: _by_clients(found, subject, "p99") for subject in subjects}
        made["throughput"] = Chart("Placed orders a second", "clients", ticks, rates, logarithmic=True)
        made["p99"] = Chart("99th percentile, milliseconds", "clients", ticks, times, logarithmic=True)
    if found.soak is not None and found.soak.samples:
        made |= _soak(found)
    return made


def _by_clients(found: Results, subject: str, what: str) -> Points:
    points = []
    for n, clients in enumerate(CLIENTS):
        times = [window.p99_ms for window in found.of(subject, "place", clients)]
        values = found.rates(subject, "place", clients) if what == "rate" else times
        if values:
            points.append((float(n), Spread(tuple(values)).median))
    return points


def _soak(found: Results) -> dict[str, Chart]:
    assert found.soak is not None
    samples = found.soak.samples
    end = samples[-1].at
    unit, name = (60, "minutes") if end > 120 else (1, "seconds")
    ticks = {end * n / 4: f"{end * n / 4 / unit:.0f}" for n in range(5)}
    backlog = {
        "orders unfinished": [(sample.at, sample.unfinished) for sample in samples],
        "stream entries": [(sample.at, sample.stream_entries) for sample in samples],
        "outbox rows": [(sample.at, sample.unsent) for sample in samples],
    }
    memory = {process: [(s.at, s.memory_mb[process]) for s in samples] for process in samples[0].memory_mb}
    return {
        "backlog": Chart("Soak at 70 % of peak: what waits", name, ticks, backlog),
        "memory": Chart("Soak at 70 % of peak: memory, MiB", name, ticks, memory),
    }
