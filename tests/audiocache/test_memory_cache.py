"""What MemoryCache has beyond Django's contract: bytes bounded, nothing pickled without need."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings

from audiocache.backends import DEFAULT_MAX_BYTES, ENTRY_OVERHEAD, MemoryCache
from audiocache.lru import ByteLRU

MEMORY = {"BACKEND": "audiocache.backends.MemoryCache", "LOCATION": "memory-cache-tests"}
ROOM_FOR_TWO = 2 * (ENTRY_OVERHEAD + 100)


@pytest.fixture(autouse=True)
def _caches() -> Iterator[None]:
    small = {"OPTIONS": {"MAX_BYTES": ROOM_FOR_TWO}}
    aliases = {"default": MEMORY, "same": MEMORY, "small": MEMORY | small}
    with override_settings(CACHES=aliases):
        yield
        for alias in caches:
            caches[alias].clear()


def memory_cache(alias: str = "default") -> MemoryCache:
    found = caches[alias]
    assert isinstance(found, MemoryCache)
    return found


def made(**options: object) -> MemoryCache:
    return MemoryCache("memory-cache-tests", {"OPTIONS": options})


def test_bytes_are_bounded_and_the_least_recently_used_leaves() -> None:
    small = memory_cache("small")
    small.set("a", bytes(100))
    small.set("b", bytes(100))
    small.get("a")
    small.set("c", bytes(100))
    assert small.get_many(["a", "b", "c"]) == {"a": bytes(100), "c": bytes(100)}
    assert small.store.total_bytes == ROOM_FOR_TWO


def test_what_is_larger_than_the_cache_is_left_out_and_named() -> None:
    small = memory_cache("small")
    small.set("big", b"old")
    assert small.set_many({"big": bytes(9999), "a": b"1"}) == ["big"]
    assert small.get_many(["big", "a"]) == {"a": b"1"}
    assert small.add("big", bytes(9999)) is False
    assert asyncio.run(small.aset_many({"big": bytes(9999)})) == ["big"]
    assert small.store.oversize == 3


def test_a_size_is_the_values_bytes_and_the_overhead() -> None:
    default = memory_cache()
    default.set("bytes", bytes(1000))
    assert default.store.total_bytes == ENTRY_OVERHEAD + 1000
    default.set("none", None)
    assert default.store.total_bytes == 2 * ENTRY_OVERHEAD + 1000
    default.set("bytes", [bytes(5000)])
    assert 5000 < default.store.total_bytes - 2 * ENTRY_OVERHEAD < 5100


def test_what_cannot_change_is_not_copied() -> None:
    default = memory_cache()
    audio = bytes(1000)
    default.set("audio", audio)
    assert default.get("audio") is audio


def test_aliases_of_a_location_share_a_store_where_their_limits_are_the_same() -> None:
    assert memory_cache("default").store is memory_cache("same").store
    assert memory_cache("default").store is not memory_cache("small").store
    assert isinstance(memory_cache().store, ByteLRU)


def test_the_default_limits() -> None:
    assert (made().store.max_entries, made().store.max_bytes) == (300, DEFAULT_MAX_BYTES)


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({"MAX_ENTRIES": 7}, (7, DEFAULT_MAX_BYTES)),
        ({"MAX_ENTRIES": "7", "MAX_BYTES": 99}, (7, 99)),
        ({"MAX_MB": 1.5}, (300, 1_572_864)),
        ({"MAX_MB": 0}, (300, 0)),
        ({"CULL_FREQUENCY": 5}, (300, DEFAULT_MAX_BYTES)),
    ],
)
def test_limits_come_from_the_options(options: dict[str, object], limits: tuple[int, int]) -> None:
    store = made(**options).store
    assert (store.max_entries, store.max_bytes) == limits


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"MAX_BITES": 1}, "MAX_BITES"),
        ({"MAX_BYTES": -1}, "MAX_BYTES"),
        ({"MAX_BYTES": "1"}, "MAX_BYTES"),
        ({"MAX_BYTES": True}, "MAX_BYTES"),
        ({"MAX_MB": None}, "MAX_MB"),
        ({"MAX_MB": float("nan")}, "MAX_MB"),
        ({"MAX_MB": 1, "MAX_BYTES": 1}, "MAX_BYTES or MAX_MB"),
        ({"MAX_ENTRIES": -1}, "MAX_ENTRIES"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=named):
        made(**options)


def test_a_cull_frequency_as_large_as_the_cache_lets_one_leave() -> None:
    cache = MemoryCache("one", {"OPTIONS": {"MAX_ENTRIES": 9, "CULL_FREQUENCY": 9}})
    cache.set_many({str(number): number for number in range(12)})
    assert cache.store.keys() == [f":1:{number}" for number in range(3, 12)]


def test_a_full_cache_replaces_without_a_cull() -> None:
    cache = MemoryCache("full", {"OPTIONS": {"MAX_ENTRIES": 3}})
    cache.set_many({"a": 1, "b": 2, "c": 3})
    cache.set("b", 4)
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 4, "c": 3}


def test_incr_loses_no_count_under_threads() -> None:
    default = memory_cache()
    default.set("n", 0)
    workers = [
        threading.Thread(target=lambda: [default.incr("n") for _ in range(200)]) for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert default.get("n") == 1600


def test_async_answers_in_the_callers_thread() -> None:
    async def verbs(cache: Any) -> None:
        await cache.aset("key", 1)
        await cache.aadd("key", 1)
        await cache.aget("key")
        await cache.aincr("key")
        await cache.adecr("key")
        await cache.atouch("key")
        await cache.ahas_key("key")
        await cache.aget_many(["key"])
        await cache.aset_many({"key": 1})
        await cache.aget_or_set("other", 1)
        await cache.aincr_version("key")
        await cache.adelete("key")
        await cache.adelete_many(["key"])
        await cache.aclear()

    with mock.patch(
        "django.core.cache.backends.base.sync_to_async", side_effect=AssertionError("a hop")
    ):
        asyncio.run(verbs(memory_cache()))


def test_an_async_count_keeps_the_expiry() -> None:
    async def counted() -> object:
        await default.aset("n", 1, 10)
        traveller.shift(6)
        await default.aincr("n")
        traveller.shift(6)
        return await default.aget("n")

    default = memory_cache()
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as traveller:
        assert asyncio.run(counted()) is None
