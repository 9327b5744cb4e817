"""One line per event on stdout, for people: time, level, process, sentence."""

import logging
import os
import sys


def configure(process: str, level: str = "INFO") -> None:
    """`process` says who speaks, such as `ordering.worker`."""
    handler = logging.StreamHandler(sys.stdout)
    line = f"%(asctime)s.%(msecs)03d %(levelname)-7s {process}[{os.getpid()}] %(message)s"
    handler.setFormatter(logging.Formatter(line, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    _skip_what_no_line_shows()
    for chatty in ("httpx", "httpcore", "alembic", "faststream", "chassis.faststream", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _skip_what_no_line_shows() -> None:
    """As Python's logging HOWTO advises: otherwise each line asks who called, from which thread, task and process."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
