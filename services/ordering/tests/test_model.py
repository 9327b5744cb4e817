"""The one table of how an order moves."""

from ordering.model import RAISES_REVISION, TRANSITIONS, Cause, State

FINAL = {State.FULFILLED, State.CANCELLED, State.REJECTED}


def test_nothing_leaves_a_final_state_and_everything_else_can_end() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State) - FINAL


def test_nothing_goes_back_to_pending() -> None:
    assert State.PENDING not in TRANSITIONS.values()


def test_what_the_plan_says_is_all_there_is() -> None:
    assert {(at, to) for (at, _), to in TRANSITIONS.items()} == {
        (State.PENDING, State.PLACED),
        (State.PENDING, State.REJECTED),
        (State.PLACED, State.FULFILLED),
        (State.PLACED, State.FAILED),
        (State.PLACED, State.CANCELLING),
        (State.FAILED, State.CANCELLING),
        (State.FAILED, State.PLACED),
        (State.CANCELLING, State.FULFILLED),
        (State.CANCELLING, State.FAILED),
        (State.CANCELLING, State.RELEASING),
        (State.RELEASING, State.CANCELLED),
    }


def test_only_a_redrive_and_a_cancel_that_comes_too_late_ever_go_back() -> None:
    order = [State.PENDING, State.PLACED, State.FAILED, State.CANCELLING, State.RELEASING, State.CANCELLED]
    back = {
        cause for (at, cause), to in TRANSITIONS.items() if {at, to} <= set(order) and order.index(to) < order.index(at)
    }

    assert back == {Cause.REDRIVE, Cause.GAVE_UP}


def test_a_cancelled_order_gave_its_stock_back_first() -> None:
    assert {at for (at, _), to in TRANSITIONS.items() if to is State.CANCELLED} == {State.RELEASING}


def test_what_starts_something_new_raises_the_revision() -> None:
    assert {Cause.CANCEL, Cause.REDRIVE} == RAISES_REVISION
