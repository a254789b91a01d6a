"""Faults of tiers and providers, for tests of what people hear in bad times.

    with faulty_tier(cache, "persistent", failing()):
        assert cache.get("Hello") is None
    with faulty_provider(service, stalling(0.5)):
        ...

Each fault is a function of an `Operation`, so a test may have one of its own. See docs/testing.md.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import Recording
from audiocache.exceptions import TierUnavailable
from audiocache.testing.faulty import Fault, Faulty, Manner, Operation
from audiocache.tiers.base import Tier

if TYPE_CHECKING:
    from tts.service import TTSService

Target = TypeVar("Target")

_SOUND: Final = frozenset({"evicted", "rest", "release", "close", "unknown_stats"})
"""What a tier does without its store."""
_CALLS: Final = frozenset({"synthesize", "stream"})
"""What a provider does at its vendor's."""


def failing(error: Exception | type[Exception] | None = None) -> Fault:
    """Every call raises `error`; None: the error of one that cannot be reached."""

    def fail(operation: Operation) -> Any:
        raise operation.outage() if error is None else error

    return fail


def slow(seconds: float) -> Fault:
    """Every answer comes late."""

    def wait(operation: Operation) -> Any:
        time.sleep(seconds)
        return operation()

    return wait


def stalling(seconds: float = 0.3) -> Fault:
    """No answer comes; after `seconds` the caller gives up, as a tier and a provider do."""

    def stall(operation: Operation) -> Any:
        time.sleep(seconds)
        raise operation.outage()

    return stall


def losing_answers(operation: Operation) -> Any:
    """What is asked for is done, and the connection breaks before the answer."""
    operation()
    raise operation.outage()


def corrupting(operation: Operation) -> Any:
    """What a tier reads is damaged: it counts and deletes it. A provider's sound is cut."""
    result = operation()
    if isinstance(result, Recording):
        return dataclasses.replace(result, audio=result.audio[: len(result.audio) // 2])
    if operation.verb in {"get", "get_many"} and result:
        keys = list(result) if isinstance(result, dict) else [result.key]
        number = len(keys)
        operation.target.counts["corrupt"] += number
        operation.target.remove_many(keys)
        return {} if isinstance(result, dict) else None
    return result


def at_random(chance: float, *faults: Fault, seed: int = 0) -> Fault:
    """One of the faults with this probability, else none; the same ones for the same seed."""
    dice = random.Random(seed)

    def perhaps(operation: Operation) -> Any:
        return dice.choice(faults)(operation) if dice.random() < chance else operation()

    return perhaps


@contextmanager
def faulty_tier(cache: MultiTierAudioCache, name: str, fault: Fault) -> Iterator[list[str]]:
    """A tier of the cache has this fault; yields the verbs it is asked for.

    At the end it is sound, and asked at once: what the cache remembers of its trouble is
    forgotten. Memory has no faults: ValueError.
    """
    rung = {rung.tier.name: rung for rung in cache.ladder.rungs if not rung.tier.inline}.get(name)
    if rung is None:
        raise ValueError(f"there is no tier {name!r} that may have faults")
    tier, circuit = rung.tier, rung.circuit
    manner = _of_a_tier()
    rung.circuit = copy(circuit)
    rung.tier = _in_front_of(tier, fault, manner)
    try:
        yield manner.heard
    finally:
        rung.tier, rung.circuit = tier, circuit


@contextmanager
def faulty_provider(service: TTSService, fault: Fault) -> Iterator[list[str]]:
    """The provider of a service has this fault; yields the verbs it is asked for."""
    manner = Manner(
        partial(import_module("tts.exceptions").ProviderDown, "a test's: down"), _CALLS.__contains__
    )
    provider = service.provider
    service.provider = _in_front_of(provider, fault, manner)
    try:
        yield manner.heard
    finally:
        service.provider = provider


def with_faults(tier: Tier, fault: Fault) -> Tier:
    """The tier with this fault, for a cache that is made with `tiers=`."""
    return _in_front_of(tier, fault, _of_a_tier())


def _of_a_tier() -> Manner:
    return Manner(partial(TierUnavailable, "a test's: no answer"), _needs_its_store)


def _needs_its_store(verb: str) -> bool:
    return not (verb.startswith("_") or verb in _SOUND)


def _in_front_of(target: Target, fault: Fault, manner: Manner) -> Target:
    stand_in: Any = Faulty(target, fault, manner)
    found: Target = stand_in
    return found
