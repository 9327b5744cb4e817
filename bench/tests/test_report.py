"""The arithmetic behind the figures, and what is written of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from bench import usage
from bench.cells import Cell, chosen
from bench.growth import Growth
from bench.ours import Backlog
from bench.peak import Trial
from bench.report import BEGIN, END, write, write_figures
from bench.results import Results, ratio, shown
from bench.soak import Soak
from bench.targets import Target, targets
from bench.watch import Sample, growth_per_second
from bench.wrk import Window


def window(status: int, answers: int, cpu_ms: dict[str, float] | None = None) -> Window:
    return Window(10.0, {str(status): answers}, 5.0, 10.0, 20.0, 0, 0, 1.0, cpu_ms or {})


def results(**rates: int) -> Results:
    """Rates at 128 clients, by `subject_scenario`."""
    found = Results({})
    for name, rate in rates.items():
        subject, scenario = name.split("_")
        cell = Cell(subject, scenario, 128)
        found.add(cell, window(cell.good[0], rate * 10))
    return found


def sample(at: float, unfinished: int, memory: float = 100.0, outbox: int = 500, oldest: float = 10.0) -> Sample:
    return Sample(at, Backlog(unfinished, outbox, oldest), {"ordering api": memory})


def soaked(samples: list[Sample]) -> Soak:
    return Soak(100, window(201, 1000), samples)


def test_a_ratio_is_taken_within_each_round() -> None:
    rounds = ratio([100, 400, 300], [200, 400, 100])

    assert rounds == [0.5, 1.0, 3.0]
    assert shown(rounds, 1) == "1.0 (0.5 to 3.0)"


def test_without_its_counterpart_a_figure_has_no_ratio() -> None:
    assert ratio([100], []) == []
    assert {target.verdict for target in targets(Results({}))} == {"not measured"}


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
        (1.0, None, None, "no target"),
    ],
)
def test_a_verdict_knows_which_way_is_better(
    value: float, least: float | None, aim: float | None, verdict: str
) -> None:
    assert Target("", "", [value], least, aim).verdict == verdict


def test_a_count_of_what_must_not_be_is_missed_by_a_single_round() -> None:
    assert Target("", "", [0.0, 0.0, 1.0], 0, 0).verdict == "missed"


def test_the_ratios_are_those_of_the_issue() -> None:
    found = results(noop_place=4000, usual_place=200, usual_hot=150, ours_place=2000, ours_hot=1800, ours_soldout=3000)

    measured = {target.name: target.values for target in targets(found) if target.values}

    assert measured["placed orders, 128 clients, 100 products : no-op"] == [0.5]
    assert measured["one hot product : 100 products"] == [0.9]
    assert measured["100 products : the usual design"] == [10]
    assert measured["one hot product : the usual design"] == [12]
    assert measured["refusals when sold out : placing"] == [1.5]


def test_an_order_costs_what_all_processes_take_but_for_the_generator() -> None:
    found = Results({})
    found.add(Cell("noop", "place", 128), window(201, 1000, {"noop": 0.1, "wrk": 0.3}))
    found.add(Cell("ours", "place", 128), window(201, 1000, {"mysql": 0.2, "gateway": 0.1, "api": 0.3, "wrk": 0.3}))

    [cost] = [target for target in targets(found) if target.name.startswith("CPU time")]

    assert cost.values == pytest.approx([6])
    assert cost.verdict == "missed"


def test_idling_is_no_part_of_what_orders_cost() -> None:
    spent = usage.cost({"api": 1.0, "redis": 5.0}, {"api": 4.0, "redis": 5.0}, {"api": 0.5, "redis": 0.1})

    assert spent == {"api": 2.5, "redis": 0.0}


def test_a_process_counts_with_what_it_has_started() -> None:
    burn = "import time; any(time.process_time() > 0.3 for _ in iter(int, 1)); print(flush=True); input()"
    shell = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", burn]

    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = usage.cpu_seconds(process.pid), usage.memory_mb(process.pid)
        process.communicate(b"\n")

    assert taken[0] >= 0.25
    assert taken[1] > 5
    assert usage.cpu_seconds(process.pid) == 0


def test_a_growing_backlog_is_not_bounded() -> None:
    samples = [sample(at, 5000 + 200 * at) for at in range(30)]

    growth = growth_per_second(samples, lambda one: one.backlog.unfinished)

    assert growth == pytest.approx(200)
    assert not Trial(0, 1000, growth, 0).bounded
    assert Trial(0, 10_000, growth, 0).bounded


def test_a_soak_complains_of_whatever_grows() -> None:
    steady = soaked([sample(at, 500) for at in range(100)])
    climbing = soaked([sample(at, 500 + 5 * at, 100 + 2 * at, 500 + 9 * at, at) for at in range(100)])

    assert steady.failures() == []
    assert climbing.failures() == [
        "the backlog grows by 5/s",
        "the outboxes grow by 441 batches in 49 s",
        "the streams are not trimmed: an entry of 99 s",
        "the memory of ordering api varies by 20%",
    ]


def test_each_load_is_measured_once_a_round_and_a_subject_starts_once() -> None:
    cells = chosen(["cpu", "placing", "hot", "clients"])

    subjects = [cell.subject for cell in cells]
    assert len(cells) == len(set(cells))
    assert subjects == sorted(subjects, key=["noop", "usual", "ours"].index)


def test_what_is_around_the_figures_on_the_page_stays(tmp_path: Path) -> None:
    found = results(noop_place=4000, ours_place=2000)
    found.soak = soaked([sample(at, 500) for at in range(100)])
    found.trials = [Trial(0, 1000, 1.5, 5000)]
    found.growth = Growth(300_000, [window(201, 20000)], [window(201, 18000)], {"empty": [window(200, 9)]})
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n{BEGIN}\nold figures\n{END}\nAfter.\n")

    write(found, tmp_path)
    write_figures(found, page)

    figures = (tmp_path / "figures.md").read_text()
    assert page.read_text() == f"Before.\n{BEGIN}\n\n{figures}\n{END}\nAfter.\n"
    assert "| placed orders, 128 clients, 100 products : no-op | 2,000/s : 4,000/s | 0.50 |" in figures
    assert "| placing with 300,000 orders in the tables : empty | 1,800/s : 2,000/s | 0.90 |" in figures
    assert "| all that goes | 1,000 | 5,000 | 2 | bounded |" in figures
    assert "| empty | 5.00 |" in figures
    assert "| orders unfinished | 500 | 500 | 500 | 500 | 500 | 500 |" in figures
    assert '"ours place 128"' in (tmp_path / "results.json").read_text()
