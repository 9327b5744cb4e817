"""One line per event on stdout, for people: time, level, process, sentence."""

import logging
import os
import sys
from collections.abc import Iterable


def configure(process: str, level: str = "INFO") -> None:
    """`process` says who speaks, such as `ordering.worker`."""
    handler = logging.StreamHandler(sys.stdout)
    line = f"%(asctime)s.%(msecs)03d %(levelname)-7s {process}[{os.getpid()}] %(message)s"
    handler.setFormatter(_Lines(line, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    _skip_what_no_line_shows()
    for chatty in ("httpx", "httpcore", "alembic", "faststream", "chassis.faststream", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _skip_what_no_line_shows() -> None:
    """As Python's logging HOWTO advises: otherwise each line asks who called, from which thread, task and process."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def info_each(log: logging.Logger, messages: Iterable[str]) -> None:
    """A line for each, all in one write."""
    if log.isEnabledFor(logging.INFO) and (lines := "\n".join(messages)):
        log.info(lines, extra={"a_line_each": True})


class _Lines(logging.Formatter):
    """No message can pass off a part of itself as another one: line ends in it show as such."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        if "\n" not in record.message:
            return super().formatMessage(record)
        lines = record.message.split("\n")
        if not hasattr(record, "a_line_each"):
            lines = ["\\n".join(lines)]
        formatted = []
        for record.message in lines:
            formatted.append(super().formatMessage(record))
        return "\n".join(formatted)
