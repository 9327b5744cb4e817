"""Clocks that jump: libfaketime stands between a process and the system's clock, and looks every second what it is to add.

Monotonic time goes on as it is: no jump of a real clock changes it.
"""

from pathlib import Path

from local.binaries import LIBRARY_FOLDERS, ensure_library

LIBRARY = "faketime/libfaketimeMT.so.1"
PACKAGE = "libfaketime"


def ensure_installed(log: Path) -> None:
    ensure_library(LIBRARY, PACKAGE, log)


class Clock:
    """One process's own. It jumps within a second of `set`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """How far it is ahead of the system's; behind it when negative. Replaced as a whole: nobody reads half of it."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}")
        unfinished.rename(self._file)

    def environment(self) -> dict[str, str]:
        library = next(path for folder in LIBRARY_FOLDERS for path in folder.glob(f"*/{LIBRARY}"))
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
