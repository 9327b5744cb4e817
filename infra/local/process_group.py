"""Run a command and its children as one process: when either ends, however it ends, the others do too.

nginx's workers survive a master that was killed. They keep its port, so the next master could never start. A script of
its own, without imports of ours, so that it starts fast and anywhere.
"""

import contextlib
import os
import signal
import subprocess
import sys


def main(command: list[str]) -> int:
    child = subprocess.Popen(command, process_group=0)
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    code = child.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return abs(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
