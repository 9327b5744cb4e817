"""The schema that the revisions make is the one that the code speaks of, however often and whenever they are cut."""

from collections.abc import Iterator
from functools import partial

import pytest

from harness.migrations import Revisions, revisions
from harness.schemas import Schemas
from harness.threads import at_once
from ordering.model import metadata


@pytest.fixture
def ours(schemas: Schemas) -> Iterator[Revisions]:
    """On a schema as it is before the first; given back so that the next test migrates it again."""
    with revisions("ordering", schemas.fresh("ordering"), metadata) as ours:
        yield ours
    schemas.fresh("ordering")


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


def test_each_revision_is_one_guarded_statement(ours: Revisions) -> None:
    for revision, body in ours.statements().items():
        assert body.count("op.") == body.count("IF NOT EXISTS") == 1, revision
        assert ";" not in body, revision


def test_several_at_once_bring_it_up_to_date_once(ours: Revisions) -> None:
    at_once([partial(ours.run)] * 2)

    assert ours.stamped() == ours.numbers[-1:]


def test_a_schema_newer_than_this_version_is_left_alone(ours: Revisions) -> None:
    ours.run()
    ours.stamp("9999")

    ours.run()

    assert ours.stamped() == ["9999"]
