"""Places where a process can be made to die, to prove that it may die anywhere.

`CRASH_POINT=name` or `CRASH_POINT=name:3` in the environment makes the process kill itself, with SIGKILL, the first or third
time it comes to the point of that name. Without the variable nothing happens. Every commit is a point before and after
it, named for the work committed (`decide.before_commit`), unless the work found nothing to do; calls, XADD and
acknowledgements name theirs in place.
"""

import os
import signal
from functools import cache


def crash_point(name: str) -> None:
    wanted = _wanted()
    if wanted is not None:
        wanted.come_to(name)


def commit_point(name: str, result: object) -> None:
    """A loop's idle turn gives an empty list or 0 back. Dying there would prove nothing, and would use up the point."""
    if result not in ([], 0):
        crash_point(name)


class _Countdown:
    def __init__(self, name: str, hits: int) -> None:
        self._name = name
        self._left = hits

    def come_to(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


@cache
def _wanted() -> _Countdown | None:
    name, _, hits = os.environ.get("CRASH_POINT", "").partition(":")
    return _Countdown(name, int(hits or 1)) if name else None
