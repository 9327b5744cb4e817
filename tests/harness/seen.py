"""What the services did in MySQL while the tests ran, against what their users may do.

MySQL itself refuses what isn't listed, so a test fails. What is listed and was used by nobody is told at the end of a full
run, which then has failed: it is to be taken out of the list.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from harness.privileges import Privilege, listed, needed
from local.topology import ROOT

CODE = tuple(str(ROOT / folder) for folder in ("services", "libs", "tests"))
ON_BEHALF = str(ROOT / "libs" / "chassis" / "database" / "rows.py")

_seen: set[Privilege] = set()
_told = pytest.StashKey[list[str]]()


def unused(seen: Iterable[Privilege]) -> list[str]:
    return [f"{user} may {verb} {table}" for user, table, verb in sorted(listed() - set(seen))]


def pytest_configure() -> None:
    event.listen(Engine, "before_cursor_execute", _note)


def _note(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    user = connection.engine.url.username
    if user.endswith("_run") and _is_a_services():
        _seen.update((user, table, verb) for table, verb in needed(statement))


def _is_a_services() -> bool:
    """Whether a service sends what is being sent, and not a test by itself."""
    frame = sys._getframe(2)
    while not (file := frame.f_code.co_filename).startswith(CODE) or file == ON_BEHALF:
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return "tests" not in Path(file).relative_to(ROOT).parts


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):  # one of xdist's workers
        config.workeroutput["privileges"] = sorted(_seen)
    elif _ran_everything(session):
        config.stash[_told] = unused(_seen)
        if config.stash[_told]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)  # xdist's
def pytest_testnodedown(node: Any) -> None:
    _seen.update(map(tuple, node.workeroutput.get("privileges", [])))


def _ran_everything(session: pytest.Session) -> bool:
    config = session.config
    chosen = config.option.keyword or config.option.markexpr or config.option.collectonly or config.option.deselect
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen
    return whole and session.exitstatus == pytest.ExitCode.OK


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for sentence in config.stash.get(_told, []):
        terminalreporter.write_line(
            f"{sentence}, and no service does: take it out of infra/mysql/2-grants.sql", red=True
        )
