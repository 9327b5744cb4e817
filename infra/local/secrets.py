"""The secrets of one system, made at random at its first start and kept where only their owner can read them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

MAKE = Path(__file__).parents[1] / "secrets" / "make.sh"


@dataclass(frozen=True)
class Secrets:
    """`directory` has a folder for each part of the system, as infra/secrets/make.sh makes them."""

    directory: Path

    def make(self) -> None:
        """Those that are missing."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = subprocess.run(["sh", str(MAKE), str(self.directory)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LocalError(f"The secrets can't be made: {done.stderr.strip()}")

    def value(self, setting: str) -> str:
        """That of a service's setting."""
        return self._files()[setting].read_text()

    def environment(self) -> dict[str, str]:
        """Where each service finds its own."""
        return {f"{setting}_FILE": str(file) for setting, file in self._files().items()}

    def mysql_passwords(self) -> Mapping[str, str]:
        """By user."""
        return {file.name: file.read_text() for file in (self.directory / "mysql").iterdir()}

    @property
    def redis_users(self) -> Path:
        return self.directory / "redis" / "users.acl"

    def _files(self) -> dict[str, Path]:
        return {file.name: file for file in self.directory.glob("*/*") if file.name.isupper()}
