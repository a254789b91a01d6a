"""Django's cache contract, as its own tests demand it of a backend.

Every test runs against Django's LocMemCache, too, which shows that the demands are Django's.
"""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Protocol
from unittest import mock

import pytest
import time_machine
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache, caches
from django.core.cache.backends.base import CacheKeyWarning
from django.core.cache.utils import make_template_fragment_key
from django.http import HttpRequest, HttpResponse
from django.middleware.cache import CacheMiddleware, FetchFromCacheMiddleware
from django.middleware.cache import UpdateCacheMiddleware as Update
from django.template import Context, Engine
from django.test import RequestFactory
from django.test.utils import override_settings
from django.views.decorators.cache import cache_page

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
MEMORY = "audiocache.backends.MemoryCache"


class Traveller(Protocol):
    """The time, moved by hand."""

    def shift(self, delta: float) -> None: ...


def custom_key(key: str, key_prefix: str, version: int) -> str:
    """Django's own tests use the same."""
    return f"CUSTOM-{key_prefix}-{version}-{key}"


def cache_settings(backend: str) -> dict[str, dict[str, Any]]:
    """The aliases of Django's own tests."""
    base = {"BACKEND": backend, "LOCATION": "contract"}
    return {
        "default": base,
        "prefix": base | {"KEY_PREFIX": "cacheprefix"},
        "v2": base | {"VERSION": 2},
        "custom_key": base | {"KEY_FUNCTION": custom_key},
        "custom_key2": base | {"KEY_FUNCTION": f"{__name__}.custom_key"},
        "cull": base | {"OPTIONS": {"MAX_ENTRIES": 30}},
        "zero_cull": base | {"OPTIONS": {"CULL_FREQUENCY": 0, "MAX_ENTRIES": 30}},
        "nine": base | {"OPTIONS": {"MAX_ENTRIES": 9}},
        "lower_case": base | {"max_entries": 30, "cull_frequency": 0},
        "other": base | {"LOCATION": "another"},
        "minute": base | {"TIMEOUT": 60},
        "for_ever": base | {"TIMEOUT": None},
    }


@pytest.fixture(params=[LOCMEM, MEMORY], ids=["locmem", "memory"], autouse=True)
def _backend(request: pytest.FixtureRequest) -> Iterator[None]:
    with override_settings(CACHES=cache_settings(request.param)):
        yield
        for alias in caches:
            caches[alias].clear()


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with time_machine.travel("2026-01-01T00:00:00Z", tick=False) as traveller:
        yield traveller


class Thing:
    """A value that pickles, compares and changes."""

    def __init__(self) -> None:
        self.parts = [1]

    def method(self) -> int:
        return 24

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and other.parts == self.parts

    def __repr__(self) -> str:
        return "Thing()"

    __hash__ = None  # type: ignore[assignment]


class Unpicklable:
    """Fails when it is pickled."""

    def __getstate__(self) -> None:
        raise pickle.PickleError


class TestValues:
    """What is set is what is got."""

    @pytest.mark.parametrize(
        "value",
        [
            "string",
            "",
            "Iñtërnâtiônàlizætiøn",
            b"audio\x00\xff",
            42,
            2**100,
            -1,
            0,
            1.5,
            True,
            False,
            None,
            [1, 2, 3],
            {"a": [1, {"b": 2}]},
            {"set", "of"},
            frozenset({1}),
            (1, "two", b"three", None),
            ([1], 2),
            date(2026, 1, 1),
            datetime(2026, 1, 1, 12),
            bytearray(b"changes"),
            Thing(),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_every_type_comes_back_as_it_was(self, value: object) -> None:
        cache.set("key", value)
        found = cache.get("key", "missing")
        assert found == value
        assert type(found) is type(value)

    def test_functions_and_classes_are_values(self) -> None:
        cache.set_many({"function": custom_key, "class": Thing})
        assert cache.get("function")("a", "b", 1) == "CUSTOM-b-1-a"
        assert cache.get("class")().method() == 24

    def test_binary_strings_survive_every_verb(self) -> None:
        value = bytes(range(256)) * 4
        cache.set("set", value)
        cache.add("add", value)
        cache.set_many({"many": value})
        assert cache.get_many(["set", "add", "many"]) == dict.fromkeys(
            ["set", "add", "many"], value
        )

    def test_unicode_keys_and_values(self) -> None:
        for value in ("val", "Iñtërnâtiônàlizætiøn", {"x": "ĳ"}):
            cache.delete("ключ")
            assert cache.add("ключ", value) is True
            assert cache.get("ключ") == value

    def test_a_later_change_of_the_callers_value_does_not_reach_the_cache(self) -> None:
        value = {"deep": [1]}
        cache.set("key", value)
        value["deep"].append(2)
        assert cache.get("key") == {"deep": [1]}
        cache.get("key")["deep"].append(3)
        assert cache.get("key") == {"deep": [1]}

    def test_what_cannot_be_pickled_is_the_callers_error(self) -> None:
        with pytest.raises(pickle.PickleError):
            cache.set("key", Unpicklable())
        with pytest.raises(pickle.PickleError):
            cache.add("key", Unpicklable())
        assert "key" not in cache


class TestVerbs:
    """get, set, add, touch, delete, clear, incr, decr, has_key and the many-verbs."""

    def test_get_of_a_missing_key_is_none_or_the_default(self) -> None:
        assert cache.get("missing") is None
        assert cache.get("missing", "bang") == "bang"
        assert cache.get(key="missing", default="bang") == "bang"

    def test_a_cached_none_is_no_miss(self) -> None:
        cache.set("none", None)
        assert cache.get("none", "default") is None
        assert cache.has_key("none")
        assert cache.get_many(["none"]) == {"none": None}
        assert cache.get_or_set("none", "new") is None
        assert cache.add("none", "new") is False
        assert cache.delete("none") is True

    def test_set_replaces_and_add_does_not(self) -> None:
        cache.set("key", "first")
        cache.set("key", "second")
        assert cache.add("key", "third") is False
        assert cache.add("new", "third") is True
        assert (cache.get("key"), cache.get("new")) == ("second", "third")

    def test_delete_tells_whether_there_was_anything(self) -> None:
        cache.set_many({"key1": "spam", "key2": "eggs"})
        assert cache.delete("key1") is True
        assert cache.delete("key1") is False
        assert cache.delete("nonexistent") is False
        assert (cache.get("key1"), cache.get("key2")) == (None, "eggs")

    def test_has_key_and_in(self) -> None:
        cache.set("hello", "goodbye")
        cache.set("no_expiry", "here", None)
        assert cache.has_key("hello") is True
        assert "hello" in cache
        assert cache.has_key("no_expiry") is True
        assert cache.has_key("goodbye") is False
        assert "goodbye" not in cache

    def test_incr_and_decr(self) -> None:
        cache.set("answer", 41)
        assert cache.incr("answer") == 42
        assert cache.incr("answer", 10) == 52
        assert cache.incr("answer", -10) == 42
        assert cache.decr("answer") == 41
        assert cache.decr("answer", 10) == 31
        assert cache.decr("answer", -10) == 41
        assert cache.get("answer") == 41

    @pytest.mark.parametrize("verb", ["incr", "decr", "incr_version", "decr_version"])
    def test_counting_a_missing_key_is_a_value_error(self, verb: str) -> None:
        with pytest.raises(ValueError, match="does_not_exist"):
            getattr(cache, verb)("does_not_exist")
        with pytest.raises(ValueError, match="does_not_exist"):
            getattr(cache, verb)("does_not_exist", -1)

    def test_incr_of_what_does_not_add_is_a_type_error(self) -> None:
        cache.set("word", "a")
        with pytest.raises(TypeError):
            cache.incr("word")
        assert cache.get("word") == "a"

    def test_incr_keeps_the_expiry(self, clock: Traveller) -> None:
        cache.set("n", 1, 10)
        clock.shift(6)
        assert cache.incr("n") == 2
        clock.shift(6)
        assert cache.get("n") is None

    def test_get_many_finds_what_is_there(self) -> None:
        cache.set_many({"a": "a", "b": "b", "c": "c", "d": "d"})
        assert cache.get_many(["a", "c", "d"]) == {"a": "a", "c": "c", "d": "d"}
        assert cache.get_many(["a", "b", "e"]) == {"a": "a", "b": "b"}
        assert cache.get_many(iter(["a", "b", "e"])) == {"a": "a", "b": "b"}
        assert cache.get_many([]) == {}

    def test_set_many_returns_the_keys_that_failed(self) -> None:
        assert cache.set_many({"key1": "spam", "key2": "eggs"}) == []
        assert cache.set_many({"key1": "spam"}, 0) == []
        assert cache.set_many({}) == []

    def test_delete_many(self) -> None:
        cache.set_many({"key1": "spam", "key2": "eggs", "key3": "ham"})
        assert cache.delete_many(["key1", "key2"]) is None  # type: ignore[func-returns-value]
        assert cache.get_many(["key1", "key2", "key3"]) == {"key3": "ham"}
        cache.delete_many([])

    def test_clear(self) -> None:
        cache.set_many({"key1": "spam", "key2": "eggs"})
        cache.clear()
        assert cache.get_many(["key1", "key2"]) == {}

    def test_close_is_there(self) -> None:
        cache.close()
        asyncio.run(cache.aclose())

    def test_get_or_set(self) -> None:
        assert cache.get("projector") is None
        assert cache.get_or_set("projector", 42) == 42
        assert cache.get_or_set("projector", 43) == 42
        assert cache.get_or_set("null", None) is None
        assert cache.get("null", "default") is None

    def test_get_or_set_calls_a_callable(self) -> None:
        assert cache.get_or_set("key", lambda: "value") == "value"
        assert cache.get_or_set("key", mock.Mock(side_effect=AssertionError)) == "value"
        assert cache.get_or_set("null", lambda: None) is None
        assert cache.get("null", "default") is None

    def test_get_or_set_by_version(self) -> None:
        cache.get_or_set("brian", 1979, version=2)
        assert cache.get("brian") is None
        assert cache.get("brian", version=1) is None
        assert cache.get("brian", version=2) == 1979
        with pytest.raises(TypeError):
            cache.get_or_set("brian")  # type: ignore[call-arg]

    def test_get_or_set_that_loses_a_race_still_answers(self) -> None:
        with mock.patch.object(type(caches["default"]), "add", return_value=False):
            assert cache.get_or_set("key", "default") == "default"


class TestExpiry:
    """Time-outs in seconds: a default, 0, None, fractions, far away."""

    def test_expiration(self, clock: Traveller) -> None:
        for key in ("expire1", "expire2", "expire3"):
            cache.set(key, "very quickly", 1)
        clock.shift(2)
        assert cache.get("expire1") is None
        assert cache.add("expire2", "newvalue") is True
        assert cache.get("expire2") == "newvalue"
        assert cache.has_key("expire3") is False
        assert cache.touch("expire1") is False
        with pytest.raises(ValueError, match="expire1"):
            cache.incr("expire1")

    def test_touch(self, clock: Traveller) -> None:
        cache.set("expire1", "very quickly", timeout=4)
        clock.shift(2)
        assert cache.touch("expire1", timeout=4) is True
        clock.shift(2)
        assert cache.has_key("expire1") is True
        clock.shift(3)
        assert cache.has_key("expire1") is False
        assert cache.touch("nonexistent") is False

    def test_touch_uses_the_default_and_takes_none_and_zero(self, clock: Traveller) -> None:
        cache.set("key", "value", timeout=1)
        assert cache.touch("key") is True
        clock.shift(200)
        assert cache.has_key("key") is True
        assert cache.touch("key", None) is True
        clock.shift(10**8)
        assert cache.touch("key", 0) is True
        assert cache.has_key("key") is False

    def test_the_default_timeout_is_300_seconds(self, clock: Traveller) -> None:
        cache.set("key", "value")
        clock.shift(299)
        assert cache.get("key") == "value"
        clock.shift(1)
        assert cache.get("key") is None

    def test_timeout_of_the_alias_is_honoured(self, clock: Traveller) -> None:
        caches["minute"].set("short", 1)
        caches["for_ever"].set("long", 1)
        clock.shift(59)
        assert caches["minute"].has_key("short")
        clock.shift(1)
        assert not caches["minute"].has_key("short")
        clock.shift(10**9)
        assert caches["for_ever"].has_key("long")

    def test_a_long_timeout(self, clock: Traveller) -> None:
        month = 60 * 60 * 24 * 30 + 1
        cache.set("key1", "eggs", month)
        assert cache.add("key2", "ham", month) is True
        cache.set_many({"key3": "sausage"}, month)
        clock.shift(month - 1)
        assert len(cache.get_many(["key1", "key2", "key3"])) == 3

    @pytest.mark.parametrize("timeout", [None, float("inf"), 10**15])
    def test_for_ever(self, timeout: float | None, clock: Traveller) -> None:
        cache.set("key1", "eggs", timeout)
        assert cache.add("key2", "ham", timeout) is True
        assert cache.add("key1", "new eggs", timeout) is False
        cache.set_many({"key3": "sausage"}, timeout)
        cache.set("key4", "belgian fries", timeout=1)
        assert cache.touch("key4", timeout=timeout) is True
        clock.shift(10**9)
        assert len(cache.get_many(["key1", "key2", "key3", "key4"])) == 4

    @pytest.mark.parametrize("timeout", [0, -1, -(10**9)])
    def test_zero_and_less_expire_at_once(self, timeout: int) -> None:
        cache.set("key1", "eggs")
        cache.set("key1", "ham", timeout)
        assert cache.add("key2", "ham", timeout) is True
        cache.set_many({"key3": "sausage"}, timeout)
        cache.set("key4", "belgian fries", timeout=5)
        assert cache.touch("key4", timeout=timeout) is True
        assert cache.get_many(["key1", "key2", "key3", "key4"]) == {}
        cache.set("key5", "there")
        assert cache.add("key5", "ham", timeout) is False

    def test_a_fraction_of_a_second(self, clock: Traveller) -> None:
        cache.set("key1", "spam", 100.2)
        clock.shift(100.1)
        assert cache.get("key1") == "spam"
        clock.shift(0.2)
        assert cache.get("key1") is None

    def test_set_many_with_a_timeout(self, clock: Traveller) -> None:
        cache.set_many({"key1": "spam", "key2": "eggs"}, 1)
        clock.shift(2)
        assert cache.get_many(["key1", "key2"]) == {}


class TestCulling:
    """MAX_ENTRIES and CULL_FREQUENCY, and which entries go."""

    @pytest.mark.parametrize(
        ("alias", "left"), [("cull", 29), ("zero_cull", 19), ("lower_case", 19)]
    )
    def test_a_full_cache_lets_its_fraction_go(self, alias: str, left: int) -> None:
        culled = caches[alias]
        for number in range(1, 50):
            culled.set(f"cull{number}", "value", 1000)
        assert sum(culled.has_key(f"cull{number}") for number in range(1, 50)) == left

    def test_add_culls_too(self) -> None:
        culled = caches["cull"]
        for number in range(1, 50):
            assert culled.add(f"cull{number}", "value", 1000)
        assert sum(culled.has_key(f"cull{number}") for number in range(1, 50)) == 29

    def test_a_cull_of_an_empty_cache_is_harmless(self) -> None:
        culled = caches["cull"]
        with mock.patch.object(culled, "_max_entries", -1):
            culled.set("force_cull_delete", "value", 1000)
            assert culled.has_key("force_cull_delete") is True

    def test_reading_saves_from_the_cull(self) -> None:
        nine = caches["nine"]
        self.fill(nine)
        for number in range(6):
            assert nine.get(number) == number
        nine.set(9, 9, timeout=None)
        assert [number for number in range(10) if nine.has_key(number)] == [0, 1, 2, 3, 4, 5, 9]

    def test_setting_saves_from_the_cull(self) -> None:
        nine = caches["nine"]
        self.fill(nine)
        for number in range(3, 9):
            nine.set(number, number, timeout=None)
        nine.set(9, 9, timeout=None)
        assert [number for number in range(10) if nine.has_key(number)] == list(range(3, 10))

    def test_counting_saves_from_the_cull(self) -> None:
        nine = caches["nine"]
        self.fill(nine)
        for number in range(6):
            nine.incr(number)
        nine.set(9, 9, timeout=None)
        assert [number for number in range(10) if nine.has_key(number)] == [0, 1, 2, 3, 4, 5, 9]

    def fill(self, nine: Any) -> None:
        for number in range(9):
            nine.set(number, number, timeout=None)


class TestKeys:
    """Prefixes, versions, key functions, and keys that memcached would refuse."""

    def test_a_prefix_keeps_two_sites_apart(self) -> None:
        cache.set("somekey", "value")
        assert caches["prefix"].has_key("somekey") is False
        caches["prefix"].set("somekey", "value2")
        assert cache.get("somekey") == "value"
        assert caches["prefix"].get("somekey") == "value2"

    def test_two_locations_are_two_caches(self) -> None:
        cache.set("value", 42)
        assert caches["other"].get("value") is None
        caches["other"].clear()
        assert cache.get("value") == 42

    def test_objects_of_an_alias_share_what_they_hold(self) -> None:
        cache.set("value", 42)
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.append(caches["default"].get("value")))
        thread.start()
        thread.join(10)
        assert found == [42]

    @pytest.mark.parametrize("key", ["key with spaces and 清", "key\nline", "a\x7f", "x" * 251])
    @pytest.mark.parametrize(
        "use",
        [
            lambda key: cache.add(key, 1),
            lambda key: cache.get(key, version=1),
            lambda key: cache.set(key, 1),
            lambda key: cache.touch(key, version=1),
            lambda key: cache.delete(key, version=1),
            lambda key: cache.has_key(key, version=1),
            lambda key: cache.get_many([key]),
            lambda key: cache.set_many({key: 1}),
            lambda key: cache.delete_many([key]),
            lambda key: cache.get_or_set(key, 1),
            lambda key: cache.get_or_set(key, 1) and cache.incr(key),
            lambda key: cache.get_or_set(key, 1) and cache.decr(key),
            lambda key: cache.get_or_set(key, 1) and cache.incr_version(key),
        ],
    )
    def test_a_key_memcached_would_refuse_is_a_warning(
        self, key: str, use: Callable[[str], object]
    ) -> None:
        with pytest.warns(CacheKeyWarning, match="memcached"):
            use(key)

    def test_prefix_and_version_count_for_the_length_of_a_key(self) -> None:
        with pytest.warns(CacheKeyWarning, match="longer than 250"):
            cache.set("x" * 248, "value")

    def test_a_key_function_may_be_a_function_or_a_path(self) -> None:
        cache.set("answer1", 42)
        caches["custom_key"].set("answer2", 43)
        assert cache.get("answer2") is None
        assert caches["custom_key"].get("answer1") is None
        assert caches["custom_key2"].get("answer2") == 43
        assert caches["custom_key"].make_key("k") == "CUSTOM--1-k"

    @pytest.mark.parametrize("alias", ["default", "v2"])
    @pytest.mark.parametrize("version", [1, 2, None])
    def test_a_value_lives_in_one_version(self, alias: str, version: int | None) -> None:
        home = version or caches[alias].version
        caches[alias].set("answer", 42, version=version)
        for other in ("default", "v2"):
            assert caches[other].get("answer", version=home) == 42
            assert caches[other].get("answer", version=3 - home) is None
            assert (caches[other].get("answer") == 42) is (caches[other].version == home)

    def test_add_by_version(self) -> None:
        assert cache.add("answer", 42, version=2) is True
        assert cache.add("answer", 37, version=2) is False
        assert cache.add("answer", 37, version=1) is True
        assert caches["v2"].add("answer", 1) is False
        assert (cache.get("answer", version=1), cache.get("answer", version=2)) == (37, 42)

    def test_has_key_by_version(self) -> None:
        cache.set("answer", 42)
        assert cache.has_key("answer", version=1)
        assert not cache.has_key("answer", version=2)
        assert not caches["v2"].has_key("answer")
        assert caches["v2"].has_key("answer", version=1)

    def test_delete_by_version(self) -> None:
        cache.set("answer", 37, version=1)
        cache.set("answer", 42, version=2)
        assert cache.delete("answer", version=2) is True
        assert (cache.get("answer", version=1), cache.get("answer", version=2)) == (37, None)
        assert caches["v2"].delete("answer") is False
        assert caches["v2"].delete("answer", version=1) is True

    def test_incr_and_decr_by_version(self) -> None:
        cache.set("answer", 37, version=1)
        cache.set("answer", 42, version=2)
        assert cache.incr("answer", version=2) == 43
        assert caches["v2"].decr("answer") == 42
        assert cache.incr("answer") == 38
        assert caches["v2"].decr("answer", version=1) == 37

    def test_touch_by_version(self) -> None:
        cache.set("answer", 37, version=2)
        assert cache.touch("answer") is False
        assert caches["v2"].touch("answer") is True

    def test_the_many_verbs_by_version(self) -> None:
        cache.set_many({"ford1": 37, "arthur1": 42})
        cache.set_many({"ford2": 37, "arthur2": 42}, version=2)
        assert cache.get_many(["ford1", "arthur1", "ford2"]) == {"ford1": 37, "arthur1": 42}
        assert cache.get_many(["ford1", "ford2"], version=2) == {"ford2": 37}
        assert caches["v2"].get_many(["ford1", "ford2", "arthur2"]) == {"ford2": 37, "arthur2": 42}
        cache.delete_many(["ford2"], version=2)
        assert caches["v2"].get_many(["ford2", "arthur2"]) == {"arthur2": 42}

    @pytest.mark.parametrize(("alias", "first"), [("default", 2), ("v2", 2), ("v2", 5)])
    def test_incr_version_moves_a_value(self, alias: str, first: int) -> None:
        version = None if first == caches[alias].version else first
        caches[alias].set("answer", 42, version=version)
        assert caches[alias].incr_version("answer", version=version) == first + 1
        assert caches[alias].get("answer", version=first) is None
        assert caches[alias].get("answer", version=first + 1) == 42
        assert caches[alias].decr_version("answer", version=first + 1) == first
        assert caches[alias].get("answer", version=first) == 42
        assert caches[alias].incr_version("answer", 3, version=first) == first + 3

    def test_incr_version_moves_a_none(self) -> None:
        cache.set("null", None)
        assert cache.incr_version("null") == 2
        assert cache.get("null", "missing", version=2) is None


class TestAsync:
    """Every verb's a-twin."""

    def test_the_twins_answer_as_the_verbs_do(self) -> None:
        asyncio.run(self.twins())

    async def twins(self) -> None:
        assert await cache.aget("missing", "default") == "default"
        await cache.aset("key", [1], timeout=10)
        assert await cache.aget("key") == [1]
        assert await cache.aadd("key", 2) is False
        assert await cache.aadd("new", 1) is True
        assert await cache.ahas_key("key") is True
        assert await cache.atouch("key", 20) is True
        assert await cache.atouch("missing") is False
        assert await cache.aincr("new") == 2
        assert await cache.aincr("new", 10) == 12
        assert await cache.adecr("new", 10) == 2
        assert await cache.aset_many({"a": 1, "b": 2}, timeout=10) == []
        assert await cache.aget_many(["a", "b", "c"]) == {"a": 1, "b": 2}
        await cache.adelete_many(["a"])
        assert await cache.aget_many(["a", "b"]) == {"b": 2}
        assert await cache.adelete("b") is True
        assert await cache.adelete("b") is False
        assert await cache.aget_or_set("made", lambda: 5) == 5
        assert await cache.aget_or_set("made", 6) == 5
        assert await cache.aincr_version("made") == 2
        assert await cache.adecr_version("made", version=2) == 1
        with pytest.raises(ValueError, match="missing"):
            await cache.aincr("missing")
        with pytest.raises(ValueError, match="missing"):
            await cache.aincr_version("missing")
        await cache.aclear()
        assert await cache.ahas_key("key") is False

    def test_the_twins_take_a_version(self) -> None:
        async def twins() -> None:
            await cache.aset("key", 1, version=2)
            assert await cache.aget("key") is None
            assert await cache.aget("key", version=2) == 1
            assert await cache.aget_many(["key"], version=2) == {"key": 1}
            assert await cache.adelete("key", version=2) is True

        asyncio.run(twins())


class TestUses:
    """What of Django stands on a cache."""

    def test_sessions(self) -> None:
        session = SessionStore()
        session["basket"] = ["apple"]
        session.save()
        again = SessionStore(session.session_key)
        assert again["basket"] == ["apple"]
        assert again.exists(str(session.session_key))
        again.cycle_key()
        assert not SessionStore().exists(str(session.session_key))
        again.flush()
        assert not again.exists(str(again.session_key))

    def test_a_session_expires(self, clock: Traveller) -> None:
        session = SessionStore()
        session.set_expiry(60)
        session["basket"] = ["apple"]
        session.save()
        clock.shift(61)
        assert "basket" not in SessionStore(session.session_key)

    def test_template_fragments(self) -> None:
        template = Engine(libraries={"cache": "django.templatetags.cache"}).from_string(
            "{% load cache %}{% cache 60 part user %}<b>{{ text }}</b>{% endcache %}"
        )
        assert template.render(Context({"user": 1, "text": "one & two"})) == "<b>one &amp; two</b>"
        assert template.render(Context({"user": 1, "text": "new"})) == "<b>one &amp; two</b>"
        assert template.render(Context({"user": 2, "text": "two"})) == "<b>two</b>"
        cache.delete(make_template_fragment_key("part", [1]))
        assert template.render(Context({"user": 1, "text": "new"})) == "<b>new</b>"

    def test_the_cache_middleware_stores_a_response_and_answers_with_it(self) -> None:
        request = RequestFactory().get("/cache/test")
        request._cache_update_cache = True  # type: ignore[attr-defined]
        response = HttpResponse("Hello World")
        Update(lambda request: response).process_response(request, response)
        found = FetchFromCacheMiddleware(lambda request: response).process_request(request)
        assert found is not None
        assert found is not response
        assert found.content == b"Hello World"

    def test_a_response_with_cookies_goes_in_and_out_twice(self) -> None:
        request = RequestFactory().get("/cache/test")
        request._cache_update_cache = True  # type: ignore[attr-defined]
        response = HttpResponse("Testing cookie serialization.")
        response.set_cookie("foo", "bar")
        middleware = CacheMiddleware(lambda request: response)
        for _ in range(2):
            middleware.process_response(request, response)
            found = middleware.process_request(request)
            assert found is not None
            assert (found.content, found.cookies) == (response.content, response.cookies)
            request._cache_update_cache = True  # type: ignore[attr-defined]
            response = found

    def test_a_cached_page(self, clock: Traveller) -> None:
        calls: list[str] = []

        @cache_page(10)
        def page(request: HttpRequest) -> HttpResponse:
            calls.append(request.path)
            return HttpResponse(f"Number {len(calls)}")

        for expected in (b"Number 1", b"Number 1"):
            assert page(RequestFactory().get("/page")).content == expected
        clock.shift(11)
        assert page(RequestFactory().get("/page")).content == b"Number 2"


def test_the_clock_is_the_one_that_is_patched() -> None:
    """Django's own test of the Cache-Control header does so."""
    with mock.patch("time.time", return_value=1_468_749_600.25):
        cache.set("a", 1, timeout=2)
        assert cache.get("a") == 1
    with mock.patch("time.time", return_value=1_468_749_602.0):
        assert cache.get("a") == 1
        assert "a" in cache
    with mock.patch("time.time", return_value=1_468_749_602.25):
        assert cache.get("a") is None


def test_a_life_ends_within_its_last_millisecond() -> None:
    with mock.patch("time.time", return_value=1_468_749_600.0001):
        cache.set("a", 1, timeout=1)
    with mock.patch("time.time", return_value=1_468_749_601.0002):
        assert "a" not in cache


def test_clear_empties_the_location_for_all_its_aliases() -> None:
    caches["zero_cull"].set("a", 1)
    caches["other"].set("a", 1)
    cache.clear()
    assert "a" not in caches["zero_cull"]
    assert "a" in caches["other"]
