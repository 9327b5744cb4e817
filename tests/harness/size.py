"""How much a test of the whole system does: enough to notice what breaks, or, with FULL_SIZE=1, as much as was promised."""

import os
from typing import TypeVar

T = TypeVar("T")

FULL_SIZE = os.environ.get("FULL_SIZE") == "1"


def at_size(usual: T, full: T) -> T:
    return full if FULL_SIZE else usual


STEP_SECONDS = at_size(0.3, 5.0)
