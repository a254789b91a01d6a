"""Law 10: others notice. Two hosts are two processes with a folder each, their memory is on."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from project.servers import RedisServer, start_redis
from tests.audiocache.hosts import SECOND, Host

Hosts = tuple[Host, Host]
DUMP = "dump.rdb"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with start_redis("--dbfilename", DUMP) as redis:
        yield redis


@pytest.fixture(scope="module")
def with_redis(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """A SQLite file each, and one Redis."""
    folder = tmp_path_factory.mktemp("hosts")
    yield from hosts(Host(folder / "a", server.url), Host(folder / "b", server.url))


@pytest.fixture(scope="module")
def with_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """One table in PostgreSQL, and no Redis."""
    folder, name = tmp_path_factory.mktemp("hosts"), f"site_{uuid4().hex[:12]}"
    with psycopg.connect(os.environ["TEST_POSTGRES_URL"], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        url = f"{os.environ['TEST_POSTGRES_URL'].rpartition('/')[0]}/{name}"
        first = Host(folder / "a", "", url)
        first("migrate")
        yield from hosts(first, Host(folder / "b", "", url))
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def hosts(*made: Host) -> Iterator[Hosts]:
    try:
        yield made  # type: ignore[misc]
    finally:
        for host in made:
            host.go_on()
            host.end()


@pytest.fixture(params=["with_redis", pytest.param("with_postgresql", marks=pytest.mark.chaos)])
def pair(request: pytest.FixtureRequest) -> Hosts:
    found: Hosts = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def text() -> str:
    return f"Hello {uuid4().hex}"


def share(pair: Hosts, text: str) -> None:
    """Both have it in memory, and each host's own file has it."""
    first, second = pair
    until = time.monotonic() + 10
    while second("get", text) != "old":  # after an outage it takes a moment until all is well
        assert time.monotonic() < until
        first("put", text, "old", "greeting")
    assert second("get", text) == "old"
    assert {"memory", "persistent"} <= set(second("where", text))


WAYS = {
    "remove": ("remove",),
    "tag": ("remove_tag", "greeting"),
    "clear": ("clear",),
}


@pytest.mark.parametrize("way", WAYS)
def test_law_10_what_is_removed_on_one_host_is_a_miss_on_the_other_within_a_second(
    pair: Hosts, text: str, way: str
) -> None:
    first, second = pair
    share(pair, text)
    verb, *words = WAYS[way]
    first(verb, *(words or [text] * (verb == "remove")))
    assert second.until_gone(text) < SECOND
    assert second("where", text) == []
    assert first("where", text) == []


def test_law_10_a_replacement_is_heard_and_drops_no_newer_sound(pair: Hosts, text: str) -> None:
    first, second = pair
    share(pair, text)
    first("put", text, "new")
    time.sleep(SECOND)
    assert second("get", text) == "new"
    assert "memory" in first("where", text)
    assert "persistent" in first("where", text)


def test_law_10_who_stood_still_catches_up_before_it_serves(pair: Hosts, text: str) -> None:
    first, second = pair
    share(pair, text)
    second.stand_still()
    first("remove", text)
    time.sleep(2 * SECOND)
    second.go_on()
    assert second("get", text) is None
    assert second("where", text) == []


def test_law_10_who_was_away_catches_up_before_it_serves(pair: Hosts, text: str) -> None:
    first, second = pair
    share(pair, text)
    second.kill()
    first("remove", text)
    second.start()
    assert second("get", text) is None


def test_what_is_stored_anew_after_a_removal_stays_on_its_host(pair: Hosts, text: str) -> None:
    first, second = pair
    share(pair, text)
    first("remove", text)
    first("put", text, "new")
    assert second.until_gone(f"other {text}") < SECOND
    time.sleep(SECOND)
    assert first("get", text) == "new"
    assert "persistent" in first("where", text)
    assert second("get", text) == "new"


def test_law_10_a_redis_that_comes_back_with_old_data_does_not_bring_it_back(
    with_redis: Hosts, server: RedisServer, text: str
) -> None:
    first, second = with_redis
    share(with_redis, text)
    dump = saved(server)
    first("remove", text)
    assert second.until_gone(text) < SECOND
    restart_with(server, dump)
    assert second("get", text) is None
    assert first("get", text) is None
    assert first("where", text) == second("where", text) == []


def test_law_10_a_clear_while_redis_was_down_is_not_undone(
    with_redis: Hosts, server: RedisServer, text: str
) -> None:
    first, second = with_redis
    share(with_redis, text)
    dump = saved(server)
    server.kill()
    first("clear")
    assert first("get", text) is None
    restart_with(server, dump)
    until_redis_is_asked(first)
    assert first("get", text) is None
    assert second.until_gone(text) < SECOND
    assert first("where", text) == second("where", text) == []


def test_law_10_a_removal_is_not_undone_by_an_index_that_redis_evicted(
    with_redis: Hosts, server: RedisServer, text: str
) -> None:
    import redis

    first, second = with_redis
    share(with_redis, text)
    with redis.Redis.from_url(server.url) as client:
        client.delete(*client.scan_iter("*:group:tags:*"))
    first("remove_tag", "greeting")
    assert second.until_gone(text) < SECOND
    assert first("get", text) is None
    assert first("where", text) == second("where", text) == []


def test_a_redis_that_comes_back_empty_empties_no_file_and_tells_what_was_removed_meanwhile(
    with_redis: Hosts, server: RedisServer, text: str
) -> None:
    first, second = with_redis
    kept, gone = f"kept {text}", f"gone {text}"
    share(with_redis, kept)
    share(with_redis, gone)
    server.kill()
    first("remove", gone)
    server.start()
    until_redis_is_asked(first)
    assert first("get", gone) is None
    assert second.until_gone(gone) < SECOND
    assert "persistent" in second("where", kept)
    assert second("get", kept) == "old"


@pytest.mark.parametrize("absence", ["idle", "standing still"])
def test_law_10_what_redis_has_said_and_lost_is_served_by_nobody_who_was_idle(
    with_redis: Hosts, server: RedisServer, text: str, absence: str
) -> None:
    """Nobody uses the cache on any host, but for the removal: not that it may be heard either."""
    import redis

    first, second = with_redis
    share(with_redis, text)
    until(lambda: not first("is_in_use") and not second("is_in_use"))
    if absence == "standing still":
        second.stand_still()
    first("remove", text)
    with redis.Redis.from_url(server.url) as client:
        if absence == "idle":
            until(lambda: first("heard") == second("heard"))
        client.flushall()
        if absence == "standing still":
            until(lambda: bool(client.keys("*")))
            second.go_on()
    assert second("get", text) is None
    assert second("where", text) == first("where", text) == []


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10 * SECOND
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_redis_is_asked(host: Host) -> None:
    """The circuit in front of it tries again after some seconds."""
    deadline = time.monotonic() + 10 * SECOND
    while "distributed" not in host("available"):
        assert time.monotonic() < deadline
        host("get", "nobody stored this")
        time.sleep(0.05)


def saved(server: RedisServer) -> Path:
    """A copy of what Redis holds now."""
    import redis

    with redis.Redis.from_url(server.url) as client:
        client.save()
    kept = server.folder / "kept.rdb"
    shutil.move(server.folder / DUMP, kept)
    return kept


def restart_with(server: RedisServer, dump: Path) -> None:
    server.kill()
    shutil.move(dump, server.folder / DUMP)
    server.start()
    (server.folder / DUMP).unlink()
