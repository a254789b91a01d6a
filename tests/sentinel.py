"""A primary, its replica and a Sentinel that watches both: as small as a fail-over can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from project.servers import HOST, RedisServer, redis_binary, start_redis

SERVICE = "clips"
DIRECT = ("--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0")


class SentinelServer(RedisServer):
    """Sentinel is a mode of the same program; it keeps what it learns in its file."""

    def command(self) -> list[str]:
        return [str(self.path), str(self.settings), "--sentinel"]

    @property
    def settings(self) -> Path:
        return self.folder / "sentinel.conf"

    def watch(self, primary: RedisServer) -> None:
        """To be called before it starts."""
        lines = [
            f"port {self.port}",
            f"bind {HOST}",
            f"dir {self.folder}",
            f"sentinel monitor {SERVICE} {HOST} {primary.port} 1",
            f"sentinel down-after-milliseconds {SERVICE} 300",
            f"sentinel failover-timeout {SERVICE} 3000",
        ]
        self.settings.write_text("\n".join(lines))


@dataclass
class Watched:
    """What stands, and who may be asked."""

    sentinel: SentinelServer
    servers: list[RedisServer]

    def primary(self) -> RedisServer:
        """Who it is now, by the Sentinel."""
        with redis.Redis(HOST, self.sentinel.port) as client:
            _, port = client.sentinel_get_master_addr_by_name(SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def fail_over(self) -> None:
        """Have the replica take over; the primary becomes a replica and lives on."""
        with redis.Redis(HOST, self.sentinel.port) as client:
            client.sentinel_failover(SERVICE)


@contextmanager
def watched() -> Iterator[Watched]:
    """Running, with the replica known."""
    with ExitStack() as stack:
        primary = stack.enter_context(start_redis(*DIRECT))
        replica = stack.enter_context(start_redis(*DIRECT, "--replicaof", f"{HOST} {primary.port}"))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="audiocache-")))
        sentinel = SentinelServer(redis_binary(), folder)
        sentinel.watch(primary)
        _wait(lambda: _linked(replica))
        stack.callback(sentinel.stop)
        sentinel.start()
        _hurry(sentinel)
        _wait(lambda: _may_follow(sentinel))
        yield Watched(sentinel, [primary, replica])


def _hurry(sentinel: SentinelServer) -> None:
    """It asks how things are each 10 s otherwise, and demotes a former primary as late."""
    with redis.Redis(HOST, sentinel.port) as client:
        client.execute_command("SENTINEL", "DEBUG", "info-period", "100", "publish-period", "100")


def _linked(replica: RedisServer) -> bool:
    with redis.Redis(HOST, replica.port) as client:
        return bool(client.info("replication")["master_link_status"] == "up")


def _may_follow(sentinel: SentinelServer) -> bool:
    """Does the Sentinel know of a replica that is as the primary is?"""
    with redis.Redis(HOST, sentinel.port) as client:
        found = client.sentinel_slaves(SERVICE)
    return [one["master-link-status"] for one in found] == ["ok"]


def _wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
