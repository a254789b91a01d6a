"""A server as a process of ours, whichever it is."""

import ctypes
import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from project.servers.accounts import Account, ServerError
from project.servers.programs import version_of

HOST = "127.0.0.1"
# Below the ports that the kernel gives to outgoing connections, so a stopped server's stays free.
PORTS = range(20_000, 32_000)
START_SECONDS = 30.0
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
# Linux has prctl; elsewhere a killed run leaves its servers.
_prctl = getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)


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
        self.version = version_of(path)
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
