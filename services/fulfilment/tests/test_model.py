"""The one table of how a fulfilment moves."""

from fulfilment.model import IN_WORK, TRANSITIONS, Cause, State

FINAL = {State.FULFILLED, State.CANCELLED}


def test_nothing_leaves_a_final_state() -> None:
    assert not {state for state, _ in TRANSITIONS} & FINAL


def test_every_state_is_known_and_every_cause_has_its_use() -> None:
    assert {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values()) == set(State)
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


def test_a_cancel_comes_in_time_until_the_point_of_no_return_and_after_a_failure() -> None:
    assert {state for state, cause in TRANSITIONS if cause is Cause.CANCEL} == {State.PROCESSING, State.FAILED}
    assert {to for (_, cause), to in TRANSITIONS.items() if cause is Cause.CANCEL} == {State.CANCELLED}


def test_only_what_failed_goes_back_to_work() -> None:
    back = {(state, cause) for (state, cause), to in TRANSITIONS.items() if to in IN_WORK and state not in IN_WORK}

    assert back == {(State.FAILED, Cause.REDRIVE), (State.FAILED_LATE, Cause.REDRIVE)}


def test_the_point_of_no_return_is_not_passed_backwards() -> None:
    past = {State.COMMITTING, State.FAILED_LATE}
    after = {to for (state, cause), to in TRANSITIONS.items() if state in past and cause is not Cause.FORCED_CANCEL}

    assert after == past | {State.FULFILLED}


def test_whatever_is_in_work_can_end() -> None:
    failed = {State.PROCESSING: State.FAILED, State.COMMITTING: State.FAILED_LATE}
    for state in IN_WORK:
        assert {to for (at, _), to in TRANSITIONS.items() if at is state} >= {State.FULFILLED, failed[state]}
