"""Finding the server programs, and installing those that are missing where apt-get may."""

import os
import shutil
import subprocess
from pathlib import Path

from local.errors import LocalError

# Servers are often outside a person's PATH.
PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin", "/opt/homebrew/opt/mysql/bin")
PROGRAMS = {
    "mysqld": ("mysqld", "mariadbd"),
    "mariadb-install-db": ("mariadb-install-db", "mysql_install_db"),
    "redis-server": ("redis-server", "valkey-server"),
    "nginx": ("nginx",),
}
# MariaDB's core packages are the server without the service that would start it at boot; the client's holds a program that
# mariadb-install-db needs and that no dependency brings.
PACKAGES = {"mysqld": "mariadb-server-core mariadb-client-core", "redis-server": "redis-server", "nginx": "nginx"}
LIBRARY_FOLDERS = (Path("/usr/lib"), Path("/usr/local/lib"))
APT_INSTALL = Path(__file__).parent / "apt-install.sh"


def find(program: str) -> str:
    """The program's path; an environment variable (MYSQLD, REDIS_SERVER, NGINX) goes first."""
    path = _look_for(program)
    if path is None:
        raise LocalError(f"{program} can't be found: {_advice([program])}")
    return path


def _look_for(program: str) -> str | None:
    chosen = os.environ.get(program.upper().replace("-", "_"))
    candidates = (chosen,) if chosen else PROGRAMS[program]
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *PLACES])
    return next((path for name in candidates if (path := shutil.which(name, path=search))), None)


def ensure_installed(log: Path) -> None:
    """See to it that every server is there, or raise the one sentence that says what to install."""
    missing = [program for program in PACKAGES if _look_for(program) is None]
    packages = [package for program in missing for package in PACKAGES[program].split()]
    _install(missing, packages, _advice(missing), log)


def ensure_library(name: str, package: str, log: Path) -> None:
    """The same for a shared library."""
    is_there = any(path for folder in LIBRARY_FOLDERS for path in folder.glob(f"*/{name}"))
    _install([] if is_there else [name], [package], f"install {package} (Debian's name).", log)


def _install(missing: list[str], packages: list[str], advice: str, log: Path) -> None:
    if not missing:
        return
    as_root = _as_root()
    if as_root is None or shutil.which("apt-get") is None:
        raise LocalError(f"{' and '.join(missing)} can't be found: {advice}")
    _apt_install(as_root, packages, log)


def _advice(programs: list[str]) -> str:
    packages = " ".join(PACKAGES.get(program, program) for program in programs)
    return f"install {packages} (Debian's names; Oracle's MySQL serves as well), or start a Docker engine."


def _as_root() -> list[str] | None:
    """What makes a command run as root without asking for a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    may = shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0
    return sudo if may else None


def _apt_install(as_root: list[str], packages: list[str], log: Path) -> None:
    print(f"Installing {', '.join(packages)} with apt-get ...", flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        command = [*as_root, "sh", str(APT_INSTALL), *packages]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise LocalError(f"apt-get could not install {' '.join(packages)} (see {log}): install them and try again.")
