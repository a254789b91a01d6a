"""What was measured, as rows of tables: the passes, and the statistics of the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from audiocache.stats import hit_rate
from project.demo.passes import Pass
from project.demo.stage import PEOPLE_SAY, Stage

PASSES: Final = ("pass", "phrases", "answered by", "p50 ms", "p99 ms", "hit rate", "calls", "saved")
TIERS: Final = ("tier", "hits", "misses", "hit rate", "puts", "back-fills", "errors")
HELD: Final = ("tier", "kind", "clips", "MiB", "evicted", "expired")


def pass_rows(passes: Mapping[str, Pass]) -> list[tuple[str, ...]]:
    """A row for each pass, and one for all together."""
    rows = [_row(name, passed) for name, passed in passes.items()]
    phrases, calls, hits = (
        sum(numbers)
        for numbers in zip(
            *((len(one.answers), one.calls, one.hits) for one in passes.values()), strict=True
        )
    )
    rate = percent(hits, phrases - hits)
    return [*rows, ("all", str(phrases), "", "", "", rate, str(calls), str(phrases - calls))]


def _row(name: str, passed: Pass) -> tuple[str, ...]:
    tiers = ", ".join(f"{say(tier)} {number}" for tier, number in passed.tiers.most_common())
    return (
        name,
        str(len(passed.answers)),
        tiers,
        f"{passed.quantile_ms(0.5):.3f}",
        f"{passed.quantile_ms(0.99):.3f}",
        percent(passed.hits, len(passed.answers) - passed.hits),
        str(passed.calls),
        str(passed.saved),
    )


def tier_rows(tiers: Sequence[str], counted: Mapping[str, int]) -> list[tuple[str, ...]]:
    """A row of counters for each tier."""
    return [_counters(tier, counted) for tier in tiers]


def _counters(tier: str, counted: Mapping[str, int]) -> tuple[str, ...]:
    def number(event: str) -> int:
        return counted.get(f"{tier}.{event}", 0)

    return (
        say(tier),
        str(number("hits")),
        str(number("misses")),
        percent(number("hits"), number("misses")),
        *(str(number(event)) for event in ("puts", "backfills", "errors")),
    )


def held_rows(stage: Stage) -> list[tuple[str, ...]]:
    """A row for what each tier holds now; Redis does not count its entries."""
    return [
        (
            say(tier),
            held["backend_type"],
            _or_unknown(held["entry_count"]),
            _or_unknown(held["total_size_bytes"], mebibytes=True),
            str(held["evicted"]),
            str(held["expired"]),
        )
        for tier, held in stage.backends().items()
    ]


def _or_unknown(number: int | None, *, mebibytes: bool = False) -> str:
    if number is None:
        return "not counted"
    return f"{number / 2**20:.1f}" if mebibytes else str(number)


def percent(hits: int, misses: int) -> str:
    """Hits among look-ups."""
    return f"{100 * hit_rate(hits, misses):.1f}%"


def say(tier: str) -> str:
    """A tier's name in a table."""
    return PEOPLE_SAY.get(tier, tier)
