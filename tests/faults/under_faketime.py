"""`python -m faults.under_faketime MODULE …`: runs a module of ours in a process whose clock may jump.

libfaketime refuses to sleep by the monotonic clock (EINVAL) when told to leave that one alone, so time.sleep waits without it.
"""

import runpy
import select
import sys
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


def main() -> None:
    time.sleep = _sleep  # type: ignore[assignment]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
