"""All verbs over all tiers, with faults, against a model of what must be true.

Never another's sound, never one that was removed or is past its end, never a life made longer; and
where nothing failed since a clip was stored, it is found. See `model.py` for what is not yet held.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from audiocache import FOREVER
from audiocache.cache import MultiTierAudioCache
from audiocache.entries import AudioEntry
from audiocache.exceptions import TierBusy
from audiocache.pulse import pulse
from audiocache.testing import Fault, Operation, corrupting, failing, losing_answers, with_faults
from tests.audiocache.conftest import DATABASES, ON_SQLITE, NewCache, NewTier
from tests.audiocache.model import Model, Name, Version, end_of
from tests.audiocache.test_kill import assert_sums_agree
from tests.factories import FakeClock

LOWER = ("persistent", "distributed")
STEPS = 50
EXAMPLES = 40
"""2,000 steps."""
LONG_EXAMPLES = 100 if os.environ.get("SOAK") == "short" else 1000

ONE = Name("one", None, "")
NAMES = st.sampled_from([
    ONE, ONE._replace(voice="nova"), ONE._replace(namespace="other"), ONE._replace(text="two"),
])  # fmt: skip
"""So few that the same ones meet again; each differs from the first in one thing."""
TTLS = st.sampled_from([60.0, 3600.0, None])
TAGS = st.lists(st.sampled_from(["red", "blue"]), max_size=2, unique=True).map(tuple)
TEXTS = st.lists(st.sampled_from(["one", "two"]), min_size=1, max_size=2, unique=True)
FAULTS: dict[str, Fault] = {
    "busy": failing(TierBusy("a test's")),
    "outage": failing(),
    "lost answer": losing_answers,
    "corrupt": corrupting,
}


class CreateFailed(Exception):
    """By the caller's own function."""


class Faults:
    """Each tier's fault at the moment, and whether one was met in this thread."""

    def __init__(self) -> None:
        self.now: dict[str, Fault] = {}
        self.met = False
        self._thread = threading.get_ident()

    def of(self, tier: str) -> Fault:
        def fault(operation: Operation) -> Any:
            current = self.now.get(tier)
            # The pulse works at its own time: with faults it would not be the same twice.
            if current is None or threading.get_ident() != self._thread:
                return operation()
            self.met = True
            return current(operation)

        return fault


class Holdings:
    """What Redis holds for this test: it may lose that, or come back with what it held before."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._pattern = f"{prefix}:*"

    def all(self) -> dict[Any, Any]:
        """By key, as the server dumps it; without when it expires there: the clock is ours."""
        held = {key: self._client.dump(key) for key in self._client.keys(self._pattern)}
        return {key: value for key, value in held.items() if value is not None}

    def become(self, held: dict[Any, Any]) -> None:
        together = self._client.pipeline()  # the pulse writes, too
        for key in self._client.keys(self._pattern):
            together.delete(key)
        for key, value in held.items():
            together.restore(key, 0, value, replace=True)
        together.execute()


class CacheMachine(RuleBasedStateMachine):
    """One cache of one process; its memory is so small that the others are asked, too."""

    cache: ClassVar[MultiTierAudioCache]
    faults: ClassVar[Faults]
    holdings: ClassVar[Holdings]
    clock: ClassVar[FakeClock]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.saved: dict[Any, Any] = {}
        self.came_back = False

    def teardown(self) -> None:
        self.everything_works_again()
        pulse.stop()  # it removes what a tier was not told of, perhaps between the two looks
        table = self.cache.tiers["persistent"]
        assert_sums_agree(getattr(table, "_target"))  # noqa: B009 - the tier behind its faults
        self.cache.clear()

    def do(self, call: Callable[[], Any]) -> tuple[Any, bool]:
        """What a verb gave; and whether a tier failed, or was passed over, meanwhile."""
        self.faults.met = False
        result = call()
        available = all(rung.circuit.available for rung in self.cache.ladder.rungs)
        return result, self.faults.met or not available

    # Bad times

    @rule(tier=st.sampled_from(LOWER), fault=st.sampled_from(sorted(FAULTS)))
    def a_tier_fails(self, tier: str, fault: str) -> None:
        self.faults.now[tier] = FAULTS[fault]

    @precondition(lambda self: self.faults.now)
    @rule()
    def everything_works_again(self) -> None:
        self.faults.now.clear()
        for rung in self.cache.ladder.rungs:
            rung.circuit.worked()

    @rule()
    def redis_is_saved(self) -> None:
        self.saved = self.holdings.all()

    @precondition(lambda self: not self.came_back)  # it is told the log of all runs then
    @rule(empty=st.booleans())
    def redis_comes_back(self, empty: bool) -> None:
        self.came_back = True
        self.holdings.become({} if empty else self.saved)
        for name in self.model.clips:
            self.model.met_a_fault(name)

    @rule(seconds=st.sampled_from([1, 45, 1800]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds * 1000

    # Storing

    def version(self, name: Name, ttl: float | None, tags: Sequence[str] = ()) -> Version:
        return Version(self.model.sound(name), end_of(self.clock.now, ttl), tuple(tags))

    @rule(name=NAMES, ttl=TTLS, tags=TAGS)
    def put(self, name: Name, ttl: float | None, tags: tuple[str, ...]) -> None:
        version = self.version(name, ttl, tags)
        how = options(name) | {"ttl_seconds": ttl or FOREVER, "tags": tags}
        _, faulty = self.do(lambda: self.cache.put(name.text, version.audio, **how))
        self.model.stored(name, version, faulty=faulty)

    @rule(texts=TEXTS, voice=st.sampled_from([None, "nova"]), ttl=TTLS, warm=st.booleans())
    def put_many(self, texts: list[str], voice: str | None, ttl: float | None, warm: bool) -> None:
        names = [Name(text, voice, "") for text in texts]
        versions = {name: self.version(name, ttl) for name in names}
        pairs = [(name.text, version.audio) for name, version in versions.items()]
        verb: Callable[..., Any] = self.cache.warm_cache if warm else self.cache.put_many
        how = {"voice": voice, "ttl_seconds": ttl or FOREVER}
        result, faulty = self.do(lambda: verb(pairs, **how))
        assert faulty or (result if warm else len(result)) == len(pairs)
        for name, version in versions.items():
            self.model.stored(name, version, faulty=faulty)

    @rule(name=NAMES, ttl=TTLS, fails=st.booleans())
    def get_or_create(self, name: Name, ttl: float | None, fails: bool) -> None:
        version = self.version(name, ttl)
        made = []

        def create() -> bytes:
            made.append(version)
            if fails:
                raise CreateFailed
            return version.audio

        def call() -> bytes | None:
            try:
                how = options(name) | {"ttl_seconds": ttl or FOREVER}
                return self.cache.get_or_create(name.text, create, **how)
            except CreateFailed:
                return None

        audio, faulty = self.do(call)
        assert len(made) <= 1
        self.assert_answer(name, None if made else audio, faulty=faulty)
        if made and not fails:
            assert audio == version.audio
            self.model.stored(name, version, faulty=faulty)

    # Asking

    @rule(name=NAMES)
    def get(self, name: Name) -> None:
        audio, faulty = self.do(lambda: self.cache.get(name.text, **options(name)))
        self.assert_answer(name, audio, faulty=faulty)

    @rule(name=NAMES)
    def get_entry(self, name: Name) -> None:
        entry, faulty = self.do(lambda: self.cache.get_entry(name.text, **options(name)))
        self.assert_answer(name, entry and entry.audio, faulty=faulty)
        if entry is not None:
            self.assert_life(name, entry)

    @rule()
    def get_all(self) -> None:
        for name in sorted(self.model.clips, key=str):
            self.get(name)

    @rule(texts=TEXTS, voice=st.sampled_from([None, "nova"]))
    def get_many(self, texts: list[str], voice: str | None) -> None:
        found, faulty = self.do(lambda: self.cache.get_many(texts, voice=voice))
        for text in texts:
            self.assert_answer(Name(text, voice, ""), found.get(text), faulty=faulty)

    @rule(name=NAMES)
    def has(self, name: Name) -> None:
        there, faulty = self.do(lambda: self.cache.has(name.text, **options(name)))
        if self.model.known(name).sure and not faulty:
            assert there is (self.model.must_be(name, self.clock.now) is not None)
        elif there:
            assert self.model.may_be(name, self.clock.now)
        if faulty:
            self.model.met_a_fault(name)

    # Removing

    @rule(name=NAMES, every=st.booleans())
    def remove(self, name: Name, every: bool) -> None:
        names = self.model.in_scope(name.text, name.namespace) if every else [name]
        sure = all(self.model.known(one).sure for one in names)
        there = any(self.model.must_be(one, self.clock.now) for one in names)
        how = {"namespace": name.namespace, "all_variants": True} if every else options(name)
        removed, faulty = self.do(lambda: self.cache.remove(name.text, **how))
        assert faulty or not sure or removed is there
        self.model.removed(names, faulty=faulty)

    @rule(tag=st.sampled_from(["red", "blue"]))
    def remove_a_tag(self, tag: str) -> None:
        _, faulty = self.do(lambda: self.cache.ladder.remove_group("tags", tag))
        self.model.removed_by_tag(tag, faulty=faulty)

    @rule()
    def clear(self) -> None:
        _, faulty = self.do(self.cache.clear)
        self.model.removed(list(self.model.clips), faulty=faulty)

    # Upkeep changes no answer

    @rule()
    def cleanup(self) -> None:
        self.do(self.cache.cleanup_expired)

    @rule()
    def flush(self) -> None:
        self.do(self.cache.flush)

    @rule()
    def statistics(self) -> None:
        stats, _ = self.do(self.cache.get_comprehensive_stats)
        assert set(stats["backends"]) == {"memory", *LOWER}

    # What must be true

    def assert_answer(self, name: Name, audio: bytes | None, *, faulty: bool) -> None:
        must = self.model.must_be(name, self.clock.now)
        if self.model.known(name).sure and not faulty:
            assert audio == (must and must.audio)
        elif audio is not None:
            assert audio in [version.audio for version in self.model.may_be(name, self.clock.now)]
        if faulty:
            self.model.met_a_fault(name)

    def assert_life(self, name: Name, entry: AudioEntry) -> None:
        [version] = {
            version
            for version in self.model.may_be(name, self.clock.now)
            if version.audio == entry.audio
        }
        assert (entry.expires, entry.keep_until) == (version.expires, version.expires)
        assert (entry.text, entry.namespace) == (name.text, name.namespace)


def options(name: Name) -> dict[str, Any]:
    return {"voice": name.voice, "namespace": name.namespace}


@pytest.fixture
def machine(
    new_cache: NewCache,
    new_tier: NewTier,
    clock: FakeClock,
    sql_kind: str,
    redis_client: redis.Redis,
    prefix: str,
) -> type[CacheMachine]:
    """On tiers that all its runs share, as their servers do."""
    faults = Faults()
    lower = (new_tier(sql_kind, max_bytes=0), new_tier("redis"))
    tiers = [with_faults(tier, faults.of(tier.name)) for tier in lower]
    cache = new_cache(tiers=[new_tier("memory", max_entries=2), *tiers])
    given = {"cache": cache, "faults": faults, "clock": clock}
    given["holdings"] = Holdings(redis_client, prefix)
    return type("Machine", (CacheMachine,), given)


def run(machine: type[CacheMachine], examples: int, **more: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=STEPS, deadline=None,
            suppress_health_check=list(HealthCheck), **more,
        ),
    )  # fmt: skip


@pytest.mark.untraced
@pytest.mark.parametrize("sql_kind", ["sqlite"])
@ON_SQLITE
def test_two_thousand_steps(machine: type[CacheMachine]) -> None:
    run(machine, EXAMPLES, derandomize=True)


@pytest.mark.chaos
@pytest.mark.parametrize("sql_kind", DATABASES)
def test_many_steps_by_chance(machine: type[CacheMachine]) -> None:
    run(machine, LONG_EXAMPLES)
