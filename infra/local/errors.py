"""What may go wrong on a person's machine, told in one sentence."""

import sys
from collections.abc import Callable
from pathlib import Path


class LocalError(Exception):
    """Its text is a whole sentence that says what to do."""


def tail(log: Path, lines: int = 15) -> str:
    """The end of a server's log, to be printed below the sentence."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "".join(f"\n    {line}" for line in text.splitlines()[-lines:])


def run_main(main: Callable[[], None]) -> None:
    """Run a command: a LocalError becomes its sentence and exit code 1, without a traceback."""
    try:
        main()
    except LocalError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
