"""Moments by the database's clock, the only one that decides anything. It may be set while the system runs.

Set forward, what was to come later comes at once: a lease runs out early, a reminder is early, and both are harmless. Set back,
it would come late by as much. A moment further away than anybody ever sets one was set before the clock went back, so
it has come.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal_column, or_


def has_come(
    moment: ColumnElement[Any], longest_seconds: int, now: ColumnElement[Any] | None = None
) -> ColumnElement[bool]:
    """Whether `moment`, set at most `longest_seconds` ahead, is over.

    A second more is allowed: another connection may have set it just after this statement read the clock.
    """
    now = func.now(6) if now is None else now
    return or_(moment < now, moment > now + _seconds(longest_seconds + 1))


def is_recent(moment: ColumnElement[Any], seconds: int) -> ColumnElement[bool]:
    """Whether `moment` was noted within the last `seconds`. One as far ahead was noted before the clock went back."""
    now = func.now(6)
    return and_(moment > now - _seconds(seconds), moment < now + _seconds(seconds))


def _seconds(number: int) -> ColumnElement[Any]:
    return literal_column(f"INTERVAL {int(number)} SECOND")
