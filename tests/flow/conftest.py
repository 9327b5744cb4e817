from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from harness.system import System
from local.demo.shop import Shop


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    """The demo's client of the running system, silent and in no hurry."""
    async with Shop(system.url, Console(quiet=True), in_time=False) as shop:
        yield shop
