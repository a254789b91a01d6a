"""audiocache stats: the numbers of the whole installation, and of its tiers."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any, Final

from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import TIER_NAMES
from audiocache.management.figures import all_figures
from audiocache.management.output import human_bytes
from audiocache.management.subcommand import Subcommand, add_json
from audiocache.stats import EVENTS, OPERATIONS, hit_rate, is_latency, latencies_of
from audiocache.tiers.base import LEAVINGS
from audiocache.upkeep import SAVED

PROCESS: Final = "this process"
INSTALLATION: Final = "all processes"
LATENCY: Final = "Milliseconds, half of the calls and all but one in a hundred took less"


class Stats(Subcommand):
    """Prints; changes nothing."""

    help = "Show what the cache of the whole installation has done and holds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json"""
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Print."""
        figures, more = figures_of(get_audio_cache()), all_figures()
        if options["json"]:
            self.out.json(figures | {name: one.data for name, one in more.items()})
            return
        self._print(figures)
        for one in more.values():
            self.out.facts(one.title, one.facts)

    def _print(self, figures: dict[str, Any]) -> None:
        if not figures["scope"]["performance"]:
            self.out.line("No tier keeps the installation's counters: they end with each process.")
        title = "Since the beginning, all processes (a process reports every few seconds)"
        columns = ("", *figures["backends"])
        self.out.table(title, columns, _performance_rows(figures))
        self.out.table(LATENCY, columns, _latency_rows(figures))
        self.out.table("Now", columns, _backend_rows(figures))
        others = {
            name.removeprefix("cache."): number
            for name, number in figures["counters"].items()
            if name.startswith("cache.") and name != SAVED
        }
        self.out.facts("Clips, all processes", sorted(others.items()))


def figures_of(cache: MultiTierAudioCache) -> dict[str, Any]:
    """As `get_comprehensive_stats()`, with the counters of all processes; flat ones as well."""
    counters = cache.get_installation_stats()
    # Of this process, which has just begun, only the state of the tiers says something.
    own = cache.get_comprehensive_stats()
    kept = any(tier.keeps_counts for tier in cache.tiers.values())
    return {
        "scope": {
            "performance": INSTALLATION if kept else None,
            "counters": INSTALLATION if kept else None,
            "backends": {name: _scope(cache, name) for name in cache.tiers},
        },
        "config": own["config"],
        "performance": _performance(counters),
        "backends": own["backends"],
        "counters": {name: n for name, n in sorted(counters.items()) if not is_latency(name)},
    }


def _scope(cache: MultiTierAudioCache, tier: str) -> str:
    return INSTALLATION if cache.tiers[tier].shared else PROCESS


def _performance(counters: Mapping[str, int]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        event: {tier: counters.get(f"{tier}.{event}", 0) for tier in TIER_NAMES}
        for event in (*EVENTS, *LEAVINGS)
    }
    for tier in TIER_NAMES:
        rate = hit_rate(figures["hits"][tier], figures["misses"][tier])
        figures[f"{tier}_hit_rate"] = rate
    figures["latency"] = {tier: latencies_of(counters, tier) for tier in TIER_NAMES}
    return figures


def _performance_rows(figures: dict[str, Any]) -> Iterator[list[object]]:
    """A row an event, a column a tier: three tiers are narrow enough for any terminal."""
    numbers, tiers = figures["performance"], list(figures["backends"])
    for event in EVENTS:
        yield [event, *(numbers[event][tier] for tier in tiers)]
    yield ["hit rate", *(f"{numbers[f'{tier}_hit_rate']:.1%}" for tier in tiers)]
    for reason in LEAVINGS:
        yield [reason.replace("_", " "), *(numbers[reason][tier] for tier in tiers)]


def _latency_rows(figures: dict[str, Any]) -> Iterator[list[object]]:
    """A row an operation that was done; a memory hit is not timed."""
    by_tier = [figures["performance"]["latency"][tier] for tier in figures["backends"]]
    for operation in OPERATIONS:
        took = [tier.get(operation) for tier in by_tier]
        if any(took):
            yield [operation, *(_milliseconds(one) for one in took)]


def _milliseconds(took: Mapping[str, float] | None) -> str | None:
    return None if took is None else f"{took['p50_ms']:g} / {took['p99_ms']:g}"


def _backend_rows(figures: dict[str, Any]) -> Iterator[list[object]]:
    tiers, scopes = figures["backends"], figures["scope"]["backends"]
    yield ["backend", *(tier["backend_type"] for tier in tiers.values())]
    yield ["whose", *(scopes[name] for name in tiers)]
    yield ["available", *(tier["available"] for tier in tiers.values())]
    yield ["entries", *(tier["entry_count"] for tier in tiers.values())]
    yield ["size", *(human_bytes(tier["total_size_bytes"]) for tier in tiers.values())]
    yield ["limits", *(_limits(tier) for tier in tiers.values())]
    yield ["fill", *(_fill(tier) for tier in tiers.values())]


def _limits(tier: Mapping[str, Any]) -> str:
    parts = []
    if (rows := tier.get("max_entries")) is not None:
        parts.append(f"{rows:,} entries")
    if (size := tier.get("max_bytes")) is not None:
        parts.append(human_bytes(size))
    if (entry := tier.get("max_entry_bytes")) is not None:
        parts.append(f"{human_bytes(entry)} an entry")
    return ", ".join(parts) or "none"


def _fill(tier: Mapping[str, Any]) -> str | None:
    """The nearer of its limits."""
    pairs = (("entry_count", "max_entries"), ("total_size_bytes", "max_bytes"))
    shares = [tier[used] / tier[limit] for used, limit in pairs if _known(tier, used, limit)]
    return f"{max(shares):.1%}" if shares else None


def _known(tier: Mapping[str, Any], used: str, limit: str) -> bool:
    return tier.get(used) is not None and bool(tier.get(limit))
