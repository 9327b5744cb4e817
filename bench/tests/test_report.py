"""The arithmetic behind the figures, and that what is drawn can be drawn."""

from xml.etree import ElementTree

import pytest
from bench.cells import Cell, chosen
from bench.peak import Trial
from bench.plots import Chart, charts
from bench.results import Results, Spread, ratio
from bench.soak import Soak
from bench.targets import Target, targets
from bench.watch import Sample, growth_per_second
from bench.wrk import Window


def window(status: int, answers: int, *, p99_ms: float = 10.0) -> Window:
    return Window(10.0, {str(status): answers}, 5.0, p99_ms, 20.0, broken=0, refused_without_time=0, cores={"wrk": 0.1})


def results(**rates: int) -> Results:
    """Rates at 128 clients, by `subject_scenario`."""
    found = Results({})
    for name, rate in rates.items():
        subject, scenario = name.split("_")
        cell = Cell(subject, scenario, 128)
        found.add(cell, window(cell.good[0], rate * 10))
    return found


def sample(at: float, unfinished: int, memory: float = 100.0) -> Sample:
    return Sample(at, unfinished, unsent=0, stream_entries=0, memory_mb={"ordering api": memory})


def test_a_ratio_is_taken_within_each_round() -> None:
    spread = ratio([100, 400, 300], [200, 400, 100])

    assert spread == Spread((0.5, 1.0, 3.0))
    assert spread.shown(1) == "1.0 (0.5 to 3.0)"


def test_without_its_counterpart_a_figure_has_no_ratio() -> None:
    assert ratio([100], []) is None
    assert all(target.ratio is None for target in targets(Results({})))


@pytest.mark.parametrize(
    ("value", "least", "aim", "verdict"),
    [
        (0.50, 0.30, 0.45, "aim"),
        (0.40, 0.30, 0.45, "reached"),
        (0.20, 0.30, 0.45, "missed"),
        (0.10, 0.30, 0.15, "aim"),
        (0.20, 0.30, 0.15, "reached"),
        (0.40, 0.30, 0.15, "missed"),
        (0.0, 0, 0, "aim"),
        (1.0, 0, 0, "missed"),
    ],
)
def test_a_verdict_knows_which_way_is_better(value: float, least: float, aim: float, verdict: str) -> None:
    assert Target("", "", Spread((value,)), least, aim).verdict == verdict


def test_a_count_of_what_must_not_be_is_missed_by_a_single_round() -> None:
    assert Target("", "", Spread((0.0, 0.0, 1.0)), 0, 0).verdict == "missed"


def test_the_ratios_are_those_of_the_issue() -> None:
    found = results(noop_place=4000, usual_place=200, usual_hot=150, ours_place=2000, ours_hot=1800, ours_soldout=3000)

    medians = {target.name: target.ratio.median for target in targets(found) if target.ratio}

    assert medians["placed orders, 128 clients, 100 products : no-op"] == 0.5
    assert medians["one hot product : 100 products"] == 0.9
    assert medians["100 products : the usual design"] == 10
    assert medians["one hot product : the usual design"] == 12
    assert medians["refusals when sold out : placing"] == 1.5


def test_a_growing_backlog_is_not_bounded() -> None:
    samples = [sample(at, 5000 + 200 * at) for at in range(30)]

    growth = growth_per_second(samples, lambda one: one.unfinished)

    assert growth == pytest.approx(200)
    assert not Trial(0, 1000, growth, 0).bounded
    assert Trial(0, 10_000, growth, 0).bounded


def test_a_soak_complains_of_a_growing_backlog_and_of_memory_that_climbs() -> None:
    steady = Soak(100, window(201, 1000), [sample(at, 500) for at in range(100)])
    climbing = Soak(100, window(201, 1000), [sample(at, 500 + 5 * at, 100 + 2 * at) for at in range(100)])

    assert steady.failures() == []
    assert climbing.failures() == ["the backlog grows by 5/s", "the memory of ordering api varies by 20%"]


def test_each_load_is_measured_once_a_round_and_a_subject_starts_once() -> None:
    cells = chosen(["placing", "hot", "clients"])

    subjects = [cell.subject for cell in cells]
    assert len(cells) == len(set(cells))
    assert subjects == sorted(subjects, key=["noop", "usual", "ours"].index)


@pytest.mark.parametrize("logarithmic", [True, False])
def test_a_chart_is_an_svg_within_its_frame(logarithmic: bool) -> None:
    chart = Chart("A < B", "x", {0: "0", 10: "ten"}, {"one": [(0, 3), (5, 250), (10, 999)]}, logarithmic)

    root = ElementTree.fromstring(chart.svg())  # noqa: S314 - our own

    line = next(root.iter("{http://www.w3.org/2000/svg}polyline"))
    heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert heights == sorted(heights, reverse=True)
    assert min(heights) >= 40


def test_a_soak_is_drawn() -> None:
    found = Results({}, soak=Soak(100, window(201, 1000), [sample(at, 500) for at in range(10)]))

    assert set(charts(found)) == {"backlog", "memory"}
