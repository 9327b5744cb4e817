"""One line per event on stdout: for people time, level, process, sentence; for machines a JSON object."""

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from chassis import request_ids

FORMATS = ("auto", "json", "text")

log = logging.getLogger(__name__)


class Line(NamedTuple):
    """What is said about an order, with the id of the request that placed it."""

    message: str
    order_id: int
    request_id: str | None


def configure(process: str, level: str = "INFO", form: str = "auto") -> None:
    """`process` says who speaks, such as `ordering.worker`. `form` is one of FORMATS: auto is text on a terminal, else JSON."""
    if form not in FORMATS:
        raise ValueError(f"LOG_FORMAT is one of {', '.join(FORMATS)}")
    as_text = sys.stdout.isatty() if form == "auto" else form == "text"
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Text(process) if as_text else _Json(process))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _say_the_last
    _skip_what_no_line_shows()
    for chatty in ("httpx", "httpcore", "alembic", "faststream", "chassis.faststream", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _skip_what_no_line_shows() -> None:
    """As Python's logging HOWTO advises: otherwise each line asks who called, from which thread, task and process."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _say_the_last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("the process ends by an error", exc_info=(kind, error, trace))


def about(order_id: int, request_id: str | None) -> dict[str, Any]:
    """The `extra` of a line about an order, whoever's request is being served just then."""
    return {"order_id": order_id, "request_id": request_id}


def tell_each(log: logging.Logger, level: int, lines: Iterable[Line]) -> None:
    """All in one write. What isn't told is not even made up."""
    if log.isEnabledFor(level) and (each := list(lines)):
        log.log(level, "\n".join(line.message for line in each), extra={"each": each})


class _Text(logging.Formatter):
    """No message can pass off a part of itself as another one, or rule the terminal: what isn't printable shows as such."""

    def __init__(self, process: str) -> None:
        line = f"%(asctime)s.%(msecs)03d %(levelname)-7s {process}[{os.getpid()}] %(message)s"
        super().__init__(line, datefmt="%Y-%m-%d %H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        each: list[Line] | None = getattr(record, "each", None)
        formatted = []
        for message in [record.message] if each is None else [line.message for line in each]:
            record.message = message if message.isprintable() else _printable(message)
            formatted.append(super().formatMessage(record))
        return "\n".join(formatted)


def _printable(message: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in message)


class _Json(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._speaker = {"process": process, "pid": os.getpid()}

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            **self._speaker,
            "logger": record.name,
        }
        return "\n".join(_object(said | event) for event in self._events(record))

    def _events(self, record: logging.LogRecord) -> Iterator[dict[str, Any]]:
        if (each := getattr(record, "each", None)) is not None:
            yield from (line._asdict() for line in each)
            return
        yield {
            "message": record.getMessage(),
            "order_id": getattr(record, "order_id", None),
            "request_id": getattr(record, "request_id", None) or request_ids.current(),
            "exception": self.formatException(record.exc_info) if record.exc_info else None,
        }


def _object(members: dict[str, Any]) -> str:
    """What is None is left out."""
    known = {name: value for name, value in members.items() if value is not None}
    try:
        return orjson.dumps(known, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # a lone surrogate
        return json.dumps(known, default=str, separators=(",", ":"))
