"""Redis or Valkey."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project.servers.accounts import Account, own_folder
from project.servers.process import HOST, Server
from project.servers.programs import redis_binary


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


@contextmanager
def start_redis(*options: str) -> Iterator[RedisServer]:
    """A running Redis; `options` are its own, such as "--appendonly", "yes"."""
    with own_folder(Account()) as folder:
        server = RedisServer(redis_binary(), folder, options)
        try:
            yield server.start()
        finally:
            server.stop()
