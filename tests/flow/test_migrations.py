"""Each schema that the revisions make is the one that the code speaks of, however often and whenever they are cut."""

import signal
from collections.abc import Iterator

import pytest

from catalog import model as catalog
from fulfilment import model as fulfilment
from harness.migrations import Revisions, revisions
from harness.schemas import SERVICES, Schemas
from harness.system import wait_until
from ordering import model as ordering

METADATA = {"catalog": catalog.metadata, "ordering": ordering.metadata, "fulfilment": fulfilment.metadata}


@pytest.fixture(params=SERVICES)
def ours(request: pytest.FixtureRequest, schemas: Schemas) -> Iterator[Revisions]:
    """On a schema as it is before the first; given back so that the next test migrates it again."""
    with revisions(request.param, schemas.fresh(request.param), METADATA[request.param]) as ours:
        yield ours
    schemas.fresh(request.param)


def test_the_revisions_and_the_model_agree(ours: Revisions) -> None:
    modelled = ours.modelled()

    ours.run()

    assert ours.tables() == modelled


def test_killed_between_a_statement_and_its_stamp_they_run_again(ours: Revisions) -> None:
    ours.run()
    before = ours.tables()

    for revision in [None, *ours.numbers[:-1]]:
        ours.stamp(revision)
        ours.run()

        assert ours.stamped() == ours.numbers[-1:]
        assert ours.tables() == before


def test_killed_in_the_middle_they_run_again(ours: Revisions) -> None:
    ours.run()
    whole = ours.tables()
    ours.forget_all_but_the_first()

    with ours.stamping_held_up() as is_waited_for:
        process = ours.start()
        wait_until(is_waited_for, 60, "the second revision to be done and not stamped")
        process.kill()
        assert process.wait(10) == -signal.SIGKILL

    assert ours.stamped()[0] in ours.numbers[:2], "the server may still do what it was asked last"
    assert ours.start().wait(60) == 0
    assert (ours.stamped(), ours.tables()) == (ours.numbers[-1:], whole)


def test_each_revision_is_one_guarded_statement(ours: Revisions) -> None:
    for revision, body in ours.statements().items():
        assert body.count("op.") == body.count("IF NOT EXISTS") == 1, revision
        assert ";" not in body, revision


def test_several_at_once_bring_it_up_to_date_once(ours: Revisions) -> None:
    processes = [ours.start() for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0]
    assert ours.stamped() == ours.numbers[-1:]


def test_a_schema_newer_than_this_version_is_left_alone(ours: Revisions) -> None:
    ours.run()
    ours.stamp("9999")

    ours.run()

    assert ours.stamped() == ["9999"]
