"""Whom a server runs as, and its temporary folder."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class ServerError(RuntimeError):
    """A server is missing, does not start or does not answer."""


class Account(NamedTuple):
    """The user that a server runs as; all None is the user of this process."""

    user: int | None = None
    group: int | None = None
    extra_groups: list[int] | None = None


def unprivileged(uid: int, names: tuple[str, ...] = ("postgres", "nobody")) -> Account:
    """Where `uid` is root, the first account of `names`: PostgreSQL refuses to run as root."""
    if uid != 0:
        return Account()
    for entry in pwd.getpwall():
        if entry.pw_name in names:
            return Account(entry.pw_uid, entry.pw_gid, [])
    raise ServerError(f"PostgreSQL does not run as root, and there is no user {names}.")


@contextmanager
def own_folder(account: Account) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="audiocache-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        give(folder, account)
        yield folder


def give(path: Path, account: Account) -> None:
    if account.user is not None and account.group is not None:
        os.chown(path, account.user, account.group, follow_symlinks=False)


def run_as(command: list[str], account: Account, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
        user=account.user,
        group=account.group,
        extra_groups=account.extra_groups,
    )
