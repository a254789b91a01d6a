"""PostgreSQL."""

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project.servers.accounts import Account, ServerError, give, own_folder, run_as, unprivileged
from project.servers.process import HOST, Server
from project.servers.programs import postgres_binary, readable


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
        give(secret, self.account)
        options = {"pgdata": self.data, "username": self.user, "pwfile": secret}
        words = [f"--{key}={value}" for key, value in options.items()]
        words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = run_as([str(self.path.with_name("initdb")), *words], self.account, self.folder)
        if done.returncode != 0:
            raise ServerError(f"initdb failed:\n{done.stderr[-2000:]}")


@contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL with an empty database."""
    with new_postgres() as server:
        yield server.start()


@contextmanager
def new_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that has its address and can be started; the first start takes a second."""
    account = unprivileged(os.geteuid())
    with own_folder(account) as folder:
        server = PostgresServer(readable(postgres_binary(), folder, account), folder, account)
        try:
            yield server
        finally:
            server.stop()
