"""Every verb's a-twin: the same answers, one crossing to a thread, and callers who leave."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from audiocache import CacheConfig, MultiTierAudioCache, Recording, flights
from audiocache.aio import AsyncVerbs
from audiocache.keys import clip_of
from audiocache.verbs import TextVerbs
from audiocache.workers import Workers
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.factories import HOUR, FakeClock

Cache = MultiTierAudioCache
R = TypeVar("R")
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
COLOUR = contextvars.ContextVar("colour", default="none")


def run(work: Coroutine[Any, Any, R], seconds: float = 30) -> R:
    """The result, or TimeoutError where a task waits for ever."""

    async def bounded() -> R:
        return await asyncio.wait_for(work, seconds)

    return asyncio.run(bounded())


class Refusing:
    """An executor that must not be asked."""

    def submit(self, call: Callable[[], R]) -> Future[R]:
        raise AssertionError("crossed to a thread")

    def close(self, farewell: Callable[[], None]) -> None:
        pass


@pytest.fixture
def small(new_cache: NewCache, new_tier: NewTier) -> Cache:
    """Of memory alone."""
    return new_cache(tiers=[new_tier("memory")])


def test_every_verb_has_its_twin_with_the_same_arguments() -> None:
    verbs = {
        *("get", "get_entry", "has", "put", "remove", "clear", "get_or_create", "get_many"),
        *("put_many", "warm_cache", "cleanup_expired", "get_comprehensive_stats"),
        *("find", "find_many", "find_or_create"),
    }
    public = {
        name for name, verb in vars(TextVerbs).items()
        if inspect.isfunction(verb) and not name.startswith("_")
        and not getattr(verb, "__isabstractmethod__", False)
    }  # fmt: skip
    assert public - {"clip"} <= verbs
    for name in verbs:
        assert inspect.iscoroutinefunction(getattr(AsyncVerbs, f"a{name}"))


def test_the_twins_answer_as_their_namesakes(cache: Cache, clock: FakeClock) -> None:
    async def work() -> None:
        assert await cache.aget("Hello", voice="nova") is None
        key = await cache.aput("Hello", WAV, voice="nova", tags=["t"], namespace="n")
        assert key == clip_of("Hello", {"voice": "nova"}, "n").key
        for gone in ((), ("memory",), ("memory", "persistent")):
            for name in gone:
                await asyncio.wrap_future(cache.executor.submit(cache.tiers[name].clear))
            found = await cache.aget_entry("Hello", voice="nova", namespace="n")
            assert found is not None
            assert (found.audio, found.tags) == (WAV, ("t",))
        assert await cache.aget("Hello", voice="nova", namespace="n") == WAV
        assert await cache.ahas("Hello", voice="nova", namespace="n")
        assert await cache.aremove("Hello", voice="nova", namespace="n")
        assert not await cache.ahas("Hello", voice="nova", namespace="n")
        keys = await cache.aput_many([("a", b"1"), ("b", b"2")], ttl_seconds=1)
        assert keys == [clip_of("a").key, clip_of("b").key]
        assert await cache.aget_many(["a", "b", "c"]) == {"a": b"1", "b": b"2"}
        assert await cache.awarm_cache({"c": b"3"}) == 1
        clock.now += HOUR
        assert (await cache.acleanup_expired())["memory"] == 2
        assert await cache.aget("c") == b"3"
        await cache.aclear()
        assert await cache.aget("c") is None
        assert await cache.aremove("c", all_variants=True) is False
        stats = await cache.aget_comprehensive_stats()
        assert stats["backends"]["persistent"]["entry_count"] == 0
        assert stats["performance"]["hits"]["distributed"] == 1

    run(work())


def test_a_memory_hit_crosses_to_no_thread(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("Hello", WAV)
    monkeypatch.setattr(cache, "executor", Refusing())

    async def work() -> None:
        assert await cache.aget("Hello") == WAV
        assert (await cache.aget_entry("Hello")) is not None
        assert await cache.aget_or_create("Hello", pytest.fail) == WAV
        assert await cache.aget_many(["Hello", "Hello "]) == {"Hello": WAV, "Hello ": WAV}
        with pytest.raises(AssertionError, match="crossed to a thread"):
            await cache.aget("absent")

    run(work())
    monkeypatch.undo()


def test_below_memory_it_crosses_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put("Hello", WAV)
    crossings: list[int] = []
    submit = Workers.submit

    def counted(self: Workers, call: Callable[[], R]) -> Future[R]:
        crossings.append(1)
        return submit(self, call)

    monkeypatch.setattr(Workers, "submit", counted)
    cache.tiers["memory"].clear()
    assert run(cache.aget("Hello")) == WAV
    assert len(crossings) == 1
    cache.tiers["memory"].clear()
    assert run(cache.aget_many(["Hello", "absent", "another"])) == {"Hello": WAV}
    assert len(crossings) == 2


def test_of_memory_alone_it_needs_no_thread(small: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "executor", Refusing())

    async def work() -> None:
        await small.aput("Hello", WAV)
        assert await small.aget("Hello") == WAV
        assert await small.aget("absent") is None
        assert await small.aget_many(["Hello"]) == {"Hello": WAV}
        await small.aclear()

    run(work())


def test_errors_of_input_are_the_callers(cache: Cache) -> None:
    async def work() -> None:
        with pytest.raises(ValueError, match="text must not be empty"):
            await cache.aget(" ")
        with pytest.raises(TypeError, match="audio must be bytes"):
            await cache.aput("Hello", "text")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="ttl_seconds must be"):
            await cache.aget_or_create("Hello", pytest.fail, ttl_seconds=0)
        with pytest.raises(TypeError, match="voice must be"):
            await cache.aget_or_create("Hello", pytest.fail, voice=b"x")

    run(work())


# aget_or_create


def test_create_runs_on_a_thread_of_ours_with_the_callers_context(cache: Cache) -> None:
    async def work() -> bytes:
        COLOUR.set("red")
        return await cache.aget_or_create("Hello", create, tags=["t"])

    def create() -> bytes:
        assert threading.current_thread() is not threading.main_thread()
        return COLOUR.get().encode()

    assert run(work()) == b"red"
    found = cache.get_entry("Hello")
    assert found is not None
    assert found.tags == ("t",)


def test_an_async_create_runs_on_the_callers_loop(cache: Cache) -> None:
    async def create(suffix: bytes = b"") -> Recording:
        assert asyncio.get_running_loop() is loops[0]
        await asyncio.sleep(0)
        return Recording(audio=COLOUR.get().encode() + suffix)

    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        loops.append(asyncio.get_running_loop())
        COLOUR.set("blue")
        assert await cache.aget_or_create("Hello", create) == b"blue"
        assert await cache.aget_or_create("more", functools.partial(create, b"!")) == b"blue!"

    run(work())
    assert cache.get("Hello") == b"blue"


@pytest.mark.untraced
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_two_hundred_tasks_make_one_call(cache: Cache, kind: str) -> None:
    calls: list[int] = []

    def create() -> bytes:
        calls.append(1)
        time.sleep(0.7)
        return WAV

    async def acreate() -> bytes:
        calls.append(1)
        await asyncio.sleep(0.7)
        return WAV

    async def work() -> list[bytes]:
        made: Any = create if kind == "sync" else acreate
        tasks = (cache.aget_or_create("Hello", made) for _ in range(200))
        return list(await asyncio.gather(*tasks))

    assert run(work()) == [WAV] * 200
    assert len(calls) == 1
    assert cache.get_comprehensive_stats()["performance"]["created"] == 1


def test_tasks_and_threads_join_one_call(cache: Cache) -> None:
    calls: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def create() -> bytes:
        calls.append(1)
        begun.set()
        assert go.wait(10)
        return WAV

    found: list[bytes] = []

    def ask() -> None:
        found.append(cache.get_or_create("Hello", create))
        cache.ladder.release()

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(10)

    async def work() -> bytes:
        task = asyncio.create_task(cache.aget_or_create("Hello", create))
        await asyncio.sleep(0.1)
        go.set()
        return await task

    assert run(work()) == WAV
    thread.join(10)
    assert found == [WAV]
    assert len(calls) == 1


@pytest.mark.untraced
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_error_is_shared_by_all_tasks(cache: Cache, kind: str) -> None:
    calls: list[int] = []
    error = ConnectionError("quota")

    def create() -> bytes:
        calls.append(1)
        time.sleep(0.7)
        raise error

    async def acreate() -> bytes:
        calls.append(1)
        await asyncio.sleep(0.7)
        raise error

    async def work() -> list[Any]:
        made: Any = create if kind == "sync" else acreate
        await asyncio.gather(*(cache.aget(f"text {number}") for number in range(60)))
        tasks = (cache.aget_or_create("Hello", made) for _ in range(30))
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert run(work()) == [error] * 30
    assert len(calls) == 1
    assert not cache.has("Hello")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cancelled_task_leaves_and_the_clip_is_stored_all_the_same(
    cache: Cache, kind: str
) -> None:
    begun, go, ago = threading.Event(), threading.Event(), asyncio.Event()

    def create() -> bytes:
        begun.set()
        assert go.wait(10)
        return WAV

    async def acreate() -> bytes:
        begun.set()
        await ago.wait()
        return WAV

    async def work() -> None:
        made: Any = create if kind == "sync" else acreate
        leaver = asyncio.create_task(cache.aget_or_create("Hello", made))
        stayer = asyncio.create_task(cache.aget_or_create("Hello", made))
        await asyncio.to_thread(begun.wait, 10)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        go.set()
        ago.set()
        assert await stayer == WAV

    run(work())
    assert cache.get("Hello") == WAV


def test_when_all_callers_have_left_what_was_begun_is_stored(cache: Cache) -> None:
    begun, go = threading.Event(), threading.Event()

    def create() -> bytes:
        begun.set()
        assert go.wait(10)
        return WAV

    async def work() -> None:
        asking = asyncio.create_task(cache.aget_or_create("Hello", create))
        assert await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.05)
        go.set()
        for _ in range(500):
            if await cache.ahas("Hello"):
                return
            await asyncio.sleep(0.01)
        pytest.fail("a paid clip was lost")

    run(work())


def asks_itself(cache: Cache) -> dict[str, Callable[[], Any]]:
    async def directly() -> bytes:
        return await cache.aget_or_create("Hello", pytest.fail)

    async def in_a_task() -> bytes:
        [found] = await asyncio.gather(cache.aget_or_create("Hello", pytest.fail))
        return found

    def in_its_thread() -> bytes:
        return cache.get_or_create("Hello", pytest.fail)

    def on_a_loop_of_its_own() -> bytes:
        return asyncio.run(directly())

    return {
        made.__name__: made for made in (directly, in_a_task, in_its_thread, on_a_loop_of_its_own)
    }


@pytest.mark.parametrize("how", ["directly", "in_a_task", "in_its_thread", "on_a_loop_of_its_own"])
def test_a_create_that_asks_for_itself_is_told_so_and_nobody_waits_for_ever(
    small: Cache, how: str
) -> None:
    create: Callable[[], Awaitable[bytes]] = asks_itself(small)[how]

    async def work() -> None:
        with pytest.raises(RuntimeError, match="the very clip that it is making"):
            await asyncio.wait_for(small.aget_or_create("Hello", create), 3)

    run(work())


def test_a_create_may_ask_for_another_clip(cache: Cache) -> None:
    async def create() -> bytes:
        return await cache.aget_or_create("one", lambda: b"1") + b"2"

    assert run(cache.aget_or_create("both", create)) == b"12"


@pytest.mark.untraced
def test_more_makings_than_threads_do_not_keep_look_ups_waiting(cache: Cache) -> None:
    """Forty slow makings, and clips that are found meanwhile."""
    cache.put("there", WAV)
    go = threading.Event()

    def create() -> bytes:
        assert go.wait(20)
        return WAV

    async def work() -> None:
        makings = [
            asyncio.create_task(cache.aget_or_create(f"text {number}", create))
            for number in range(40)
        ]
        await asyncio.sleep(0.1)
        cache.tiers["memory"].remove_many([clip_of("there").key])
        assert await asyncio.wait_for(cache.aget("there"), 5) == WAV
        go.set()
        assert set(await asyncio.gather(*makings)) == {WAV}

    run(work())


def test_a_sync_verb_on_a_running_loop_works_all_the_same(cache: Cache) -> None:
    async def work() -> None:
        assert cache.get("Hello") is None
        cache.put("Hello", WAV)
        cache.tiers["memory"].remove_many([clip_of("Hello").key])
        assert cache.get("Hello") == WAV
        assert cache.remove("Hello")

    run(work())
    assert set(cache.get_comprehensive_stats()["performance"]["errors"].values()) == {0}


def test_when_a_leader_is_stopped_the_others_begin_anew(cache: Cache) -> None:
    stopped = iter([SystemExit()])

    def create() -> bytes:
        time.sleep(0.2)
        for error in stopped:
            raise error
        return WAV

    async def work() -> list[Any]:
        tasks = (cache.aget_or_create("Hello", create) for _ in range(5))
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = run(work())
    assert found.count(WAV) == 4


@pytest.fixture
def memory_cache(new_cache: NewCache, new_tier: NewTier) -> Cache:
    """With threads of its own, as a process has them."""
    return new_cache(tiers=[new_tier("memory")])


def test_a_create_that_raises_stop_iteration_fails_and_does_not_hang(memory_cache: Cache) -> None:
    empty = iter(())
    with pytest.raises(RuntimeError, match="StopIteration"):
        run(memory_cache.aget_or_create("Hello", lambda: next(empty)), 5)
    with pytest.raises(RuntimeError, match="StopIteration"):
        memory_cache.get_or_create("Hello", lambda: next(empty))


def test_whatever_gives_an_awaitable_may_be_create(memory_cache: Cache) -> None:
    async def make() -> bytes:
        await asyncio.sleep(0)
        return WAV

    class Maker:
        async def __call__(self) -> bytes:
            return await make()

    async def ask() -> list[bytes]:
        return [
            await memory_cache.aget_or_create("lambda", lambda: make()),  # noqa: PLW0108
            await memory_cache.aget_or_create("object", Maker()),
            await memory_cache.aget_or_create("partial", functools.partial(make)),
        ]

    assert run(ask(), 5) == [WAV] * 3


class TestALoopThatEnds:
    """Its tasks are cancelled, at whatever moment; others then make the clip."""

    def test_before_the_first_step_of_a_task(self, memory_cache: Cache) -> None:
        async def make() -> bytes:
            return WAV

        async def view() -> None:
            asyncio.create_task(memory_cache.aget_or_create("Hello", make))  # noqa: RUF006
            await asyncio.sleep(0)

        run(view(), 5)
        assert len(memory_cache.flights) == 0
        assert memory_cache.get_or_create("Hello", lambda: b"again") in (WAV, b"again")

    @pytest.mark.parametrize("steps", range(6))
    def test_while_a_thread_of_ours_waits_for_it(self, memory_cache: Cache, steps: int) -> None:
        async def make() -> bytes:
            await asyncio.sleep(60)
            return WAV

        async def view() -> None:
            asyncio.create_task(  # noqa: RUF006
                memory_cache.aget_or_create("Hello", lambda: make())  # noqa: PLW0108
            )
            for _ in range(steps):
                await asyncio.sleep(0.001)

        run(view(), 5)
        made = ThreadPoolExecutor(1).submit(memory_cache.get_or_create, "Hello", lambda: b"again")
        assert made.result(5) == b"again"
        memory_cache.close()  # no thread waits

    @pytest.mark.parametrize("kind", ["memory", pytest.param("sqlite", marks=ON_SQLITE)])
    def test_a_loop_that_is_closed_with_its_tasks(
        self, new_cache: NewCache, new_tier: NewTier, kind: str
    ) -> None:
        """Its turn is another's then, in this process and in others."""
        one, other = (new_cache(tiers=[new_tier(kind)]) for _ in range(2))

        async def make() -> bytes:
            began.set()
            await asyncio.sleep(60)
            return WAV

        async def wait() -> None:
            await asyncio.to_thread(began.wait, 10)

        began = threading.Event()
        loop = asyncio.new_event_loop()
        task = loop.create_task(one.aget_or_create("Hello", make))
        loop.run_until_complete(wait())
        with ThreadPoolExecutor(2) as pool:
            callers = [one, other] if kind == "sqlite" else [one]
            asked = [pool.submit(one.get_or_create, "Hello", lambda: b"again") for one in callers]
            time.sleep(0.1)
            loop.close()
            one.flights.leave_dead()  # the pulse's
            assert [call.result(10) for call in asked] == [b"again"] * len(callers)
        for left in (task, *flights._tasks):
            left._log_destroy_pending = False  # type: ignore[attr-defined]
        flights._tasks.clear()


def test_a_cancelled_put_that_waits_for_a_thread_is_stored_all_the_same(
    new_tier: NewTier, clock: FakeClock
) -> None:
    tiers = [new_tier("memory"), new_tier("redis")]
    cache = MultiTierAudioCache(CacheConfig(), tiers=tiers, clock=clock, executor=Workers("one", 1))
    busy = threading.Event()

    async def leave() -> None:
        cache.executor.submit(lambda: busy.wait(5))
        put = asyncio.create_task(cache.aput("Hello", WAV))
        await asyncio.sleep(0.05)
        put.cancel()
        await asyncio.sleep(0)
        busy.set()

    run(leave(), 5)
    assert cache.executor.submit(lambda: True).result(5)  # behind the put, on its one thread
    assert cache.get("Hello") == WAV
    cache.close()


@pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])
def test_a_cache_is_closed_within_an_event_loop(new_cache: NewCache) -> None:
    cache = new_cache("sqlite")

    async def use() -> None:
        await cache.aput("Hello", WAV)
        cache.close()

    run(use(), 10)
