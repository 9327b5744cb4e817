"""A MySQL or MariaDB server of our own, fully durable, in one directory."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT

from local.binaries import find
from local.errors import LocalError, tail
from local.processes import unix_socket

SCHEMAS = Path(__file__).parents[1] / "mysql"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class MySQL:
    """`options` are further options of mysqld, for tests that need another setting."""

    directory: Path
    port: int
    options: tuple[str, ...] = ()
    name: str = "mysql"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def socket(self) -> Path:
        return unix_socket(self.directory, "mysql.sock")

    def prepare(self) -> None:
        """Initialise the data directory. It gets its name last, so that one half made is made again."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        if self.data.exists():
            return
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _initialise(unfinished, self.temporary, self.directory / "initialise.log")
        unfinished.rename(self.data)

    @property
    def temporary(self) -> Path:
        """Of its own: MariaDB removes the temporary tables it finds when it starts, in /tmp also those of its neighbours."""
        return self.directory / "tmp"

    def command(self) -> list[str]:
        return [
            find("mysqld"),
            "--no-defaults",
            *_user(),
            f"--datadir={self.data.resolve()}",
            f"--tmpdir={self.temporary.resolve()}",
            f"--socket={self.socket}",
            f"--pid-file={self.directory.resolve() / 'mysql.pid'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_bin",
            "--transaction-isolation=READ-COMMITTED",
            "--default-time-zone=+00:00",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=256M",
            # By MariaDB's name and by MySQL's. With their default of 100 MB pages are written again and again under load,
            # which costs a tenth of the orders a second. To read 256 MB back after a crash takes about a second.
            "--loose-innodb-log-file-size=256M",
            "--loose-innodb-redo-log-capacity=256M",
            "--max-connections=500",
            # Nothing replicates from here, so a commit needs no second log. The redo log alone makes it durable.
            "--skip-log-bin",
            "--loose-performance-schema=OFF",
            "--loose-mysqlx=OFF",
            *self.options,
        ]

    def is_ready(self) -> bool:
        try:
            self.admin().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def admin(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """Connect as root, who has no password but can be reached by the socket alone."""
        return pymysql.connect(unix_socket=str(self.socket), user="root", client_flag=CLIENT.MULTI_STATEMENTS)

    def grant(self, passwords: Mapping[str, str]) -> None:
        """Make the schemas and users of infra/mysql that are not there yet, and give all users these passwords."""
        with self.admin() as connection, connection.cursor() as cursor:
            for script in grants(passwords):
                cursor.execute(script)
                while cursor.nextset():
                    pass


def grants(passwords: Mapping[str, str]) -> list[str]:
    """What root has to run, each of any number of statements."""
    users = [
        f"ALTER USER '{user}'@'%' IDENTIFIED BY '{password}' ACCOUNT UNLOCK" for user, password in passwords.items()
    ]
    return [script.read_text() for script in sorted(SCHEMAS.glob("*.sql"))] + users


def _initialise(data: Path, temporary: Path, log: Path) -> None:
    options = ["--no-defaults", f"--datadir={data.resolve()}", f"--tmpdir={temporary.resolve()}", *_user()]
    if _is_mariadb(find("mysqld")):
        install = find("mariadb-install-db")
        command = [
            install,
            *options,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
    else:
        command = [find("mysqld"), *options, "--initialize-insecure"]
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise LocalError(f"MySQL could not make its data directory; the end of {log}:{tail(log)}")


def _user() -> list[str]:
    """Both servers refuse to run as root unless told to."""
    return ["--user=root"] if os.geteuid() == 0 else []


@cache
def _is_mariadb(mysqld: str) -> bool:
    version = subprocess.run([mysqld, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    return "MariaDB" in version.stdout
