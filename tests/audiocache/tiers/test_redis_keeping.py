"""Connections that stay at hand: taken again only as they were left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.sentinel import SentinelConnectionPool

from audiocache.conf import CacheConfig
from audiocache.tiers.redis_asking import APART, ask, packed
from audiocache.tiers.redis_connection import RedisConnection, connect
from audiocache.tiers.redis_keeping import KeptConnections, keeping
from tests.audiocache.conftest import server_url


@pytest.fixture
def client() -> Iterator[Any]:
    """With one connection, behind a gate."""
    client = connect(CacheConfig(redis_url=server_url(), redis_max_connections=1))
    kept = RedisConnection(client, 1)
    yield client
    kept.close()


def number_of(client: Any) -> int:
    """The server's own, of the connection that is used."""
    [number] = ask(client, [("CLIENT", "ID")])
    return int(number)


def test_the_connection_used_last_is_used_next_by_whatever_way(client: Any) -> None:
    assert number_of(client) == number_of(client) == client.client_id()
    assert isinstance(client.connection_pool, KeptConnections)


def test_what_the_server_ended_meanwhile_is_opened_again_without_an_error(
    client: Any, redis_client: redis.Redis
) -> None:
    first = number_of(client)
    redis_client.client_kill_filter(_id=str(first))
    assert number_of(client) > first


def test_what_nobody_asked_for_is_nobodys_answer(client: Any) -> None:
    first = number_of(client)
    connection = client.connection_pool.get_connection()
    connection.send_command("ECHO", "of another question")
    while connection.is_as_before():  # until it has come
        pass
    client.connection_pool.release(connection)
    assert number_of(client) > first


def test_one_that_failed_is_not_kept(client: Any) -> None:
    connection = client.connection_pool.get_connection()
    connection.disconnect()
    client.connection_pool.release(connection)
    assert ask(client, [("ECHO", "a")]) == [b"a"]


def test_another_era_connects_anew(client: Any) -> None:
    first = number_of(client)
    client.connection_pool.connection_class.era += 1
    assert number_of(client) > first


def test_closing_closes_what_was_kept(client: Any, redis_client: redis.Redis) -> None:
    first = number_of(client)
    client.connection_pool.disconnect(inuse_connections=False)
    assert first not in {int(one["id"]) for one in redis_client.client_list()}
    assert number_of(client) > first


def test_a_child_has_a_connection_of_its_own(client: Any) -> None:
    first = number_of(client)
    if not (child := os.fork()):
        os._exit(number_of(client) == first)  # 1 where it is the parent's
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert number_of(client) == first


def test_where_others_decide_when_a_connection_ends_it_stays_in_its_pool() -> None:
    made: Any = SentinelConnectionPool
    theirs = made("main", None)
    assert keeping(theirs) is theirs
    asked = redis.ConnectionPool(credential_provider=redis.UsernamePasswordCredentialProvider())
    assert keeping(asked) is asked


@pytest.mark.parametrize("size", [0, 3, APART - 1, APART, 3 * APART])
def test_words_are_sent_as_redis_py_sends_them(size: int) -> None:
    commands = [("SET", "prefix:ä", bytes(size), "PX", 12), ("GET", "b"), ("SET", "c", bytes(size))]
    connection: Any = redis.Connection
    assert b"".join(packed(commands)) == b"".join(connection().pack_commands(commands))
