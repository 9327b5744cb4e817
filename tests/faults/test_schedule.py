"""A seed is a run: the same storms, whatever came before."""

import pytest

from faults.crash_points import POINTS
from faults.proxy import ON_MYSQL, Cut
from faults.schedule import CRASHING, STORM_SECONDS, Kind, storm

PROCESSES = [f"{kind}-{n}" for kind in (*CRASHING, "fulfilment-api") for n in range(2)]
LINKS = ["gateway to ordering", *(f"{process} to mysql" for process in PROCESSES)]


def test_a_seed_gives_the_same_storm_each_time() -> None:
    assert storm(7, 3, PROCESSES, LINKS) == storm(7, 3, PROCESSES, LINKS)


def test_seeds_and_numbers_make_storms_differ() -> None:
    storms = [storm(seed, number, PROCESSES, LINKS) for seed in (1, 2) for number in (0, 1, 2)]

    assert all(one.faults != other.faults for one in storms for other in storms if one is not other)


def test_all_kinds_of_faults_and_cuts_come_within_ten_minutes() -> None:
    faults = [fault for number in range(24) for fault in storm(5, number, PROCESSES, LINKS).faults]

    assert {fault.kind for fault in faults} == set(Kind)
    assert {fault.how for fault in faults if fault.how} == set(Cut)


def test_every_kind_with_crash_points_gets_its_turn_within_ten_minutes() -> None:
    storms = [storm(5, number, PROCESSES, LINKS) for number in range(24)]

    crashed = {name.rsplit("-", 1)[0] for one in storms for name in one.crash_replicas}

    assert crashed == POINTS.keys()


def test_a_rolling_restart_stands_alone_but_for_a_row_that_others_must_not_miss() -> None:
    calm = [one for number in range(8) if (one := storm(1, number, PROCESSES, LINKS)).is_calm]

    assert calm
    assert {fault.kind for one in calm for fault in one.faults} == {Kind.ROLLING_RESTART, Kind.ROW_HELD}
    assert all(not one.crash_replicas for one in calm)


@pytest.mark.parametrize("number", range(6))
def test_a_cut_at_commit_is_on_a_way_to_mysql_and_every_fault_is_inside_its_storm(number: int) -> None:
    faults = storm(11, number, PROCESSES, LINKS).faults

    assert all(fault.target.endswith("mysql") for fault in faults if fault.how in ON_MYSQL)
    assert all(0 <= fault.at <= STORM_SECONDS for fault in faults)
