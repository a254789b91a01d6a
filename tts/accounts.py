"""What speech has cost, saved, and cost again: the accounts as they are read by people.

Amounts are millionths of a US dollar, instants milliseconds; a span is from `since` to before
`until`. Nothing here adds up charges: the sums are kept by hour and day. Spent is exact at any
moment; saved lags one flush.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from django.db.models import Max, QuerySet, Sum

from audiocache import finding
from audiocache.builder import get_audio_cache
from audiocache.charges import BEGUN
from audiocache.clock import DAY_MS, HOUR_MS
from audiocache.conf import PERSISTENT
from audiocache.entries import NEVER
from audiocache.models import Account, CallLatency, Count
from audiocache.stats import BUCKETS
from audiocache.upkeep import SAVED

HOURS, DAYS = "h", "d"
STEPS: Final[Mapping[str, int]] = {HOURS: HOUR_MS, DAYS: DAY_MS}


class Line(NamedTuple):
    """Sums of calls that went to one voice and ended in one way."""

    provider: str
    model: str
    voice: str
    outcome: str
    """`ok`, an error's kind, or `begun`: it runs, or its process was killed."""
    calls: int
    units: int
    """In the unit that the voice is billed in."""
    characters: int
    cost: int
    estimated: int
    """The part of the cost that stands on a list price or on counted units."""
    unpriced: int
    """Calls that were billed, and whose price is not known."""


class Sums(Protocol):
    """What a summary is made of: see `Line`."""

    @property
    def outcome(self) -> str: ...
    @property
    def calls(self) -> int: ...
    @property
    def characters(self) -> int: ...
    @property
    def cost(self) -> int: ...
    @property
    def estimated(self) -> int: ...
    @property
    def unpriced(self) -> int: ...


class Again(NamedTuple):
    """What was paid for again for one cause."""

    cause: str
    calls: int
    cost: int


class Summary(NamedTuple):
    """All of a span."""

    spent: int
    estimated: int
    saved: int
    calls: int
    characters: int
    unpriced: int
    begun: int
    """Calls that are not settled."""
    again: list[Again]
    """By cause, the dearest first."""

    @property
    def paid_again(self) -> int:
        """What all causes together cost."""
        return sum(one.cost for one in self.again)


class Moment(NamedTuple):
    """One hour or day; `period` is its beginning."""

    period: int
    calls: int
    spent: int
    paid_again: int
    saved: int


def is_kept() -> bool:
    """Are there accounts? They are kept where the cache has its database."""
    return PERSISTENT in get_audio_cache().tiers


def lines(since: int = 0, until: int = NEVER) -> list[Line]:
    """By provider, model, voice and outcome."""
    labels = ("provider", "model", "voice", "outcome")
    sums = ("calls", "units", "characters", "cost", "estimated", "unpriced")
    found = _of(Account, since, until).values(*labels).annotate(**_sums(*sums))
    # A call that has ended left the account of those that have begun.
    rows = found.exclude(calls_sum=0).order_by(*labels)
    return [Line(*(row[name] for name in labels), *(row[f"{n}_sum"] for n in sums)) for row in rows]


def paid_again(since: int = 0, until: int = NEVER) -> list[Again]:
    """By cause (expired, evicted, removed, lost, cache_off), the dearest first."""
    rows = _of(Account, since, until).exclude(cause="").values("cause")
    found = rows.annotate(**_sums("calls", "cost")).order_by("-cost_sum", "cause")
    return [Again(row["cause"], row["calls_sum"], row["cost_sum"]) for row in found]


def rows_of(model: type[Any]) -> QuerySet[Any]:
    """All rows of one of the cache's tables; none where it uses no database."""
    if not is_kept():
        none: QuerySet[Any] = model.objects.none()
        return none
    rows: QuerySet[Any] = model.objects.using(finding.ready())
    return rows


def longest_age(causes: Collection[str], since: int = 0, until: int = NEVER) -> int:
    """The longest time (ms) from the first purchase of a clip to one for these causes."""
    rows = _of(Account, since, until).filter(cause__in=causes)
    longest: int | None = rows.aggregate(longest=Max("age_ms"))["longest"]
    return longest or 0


def summary(since: int = 0, until: int = NEVER) -> Summary:
    """Everything in one."""
    return added_up(lines(since, until), saved(since, until), paid_again(since, until))


def added_up(found: Sequence[Sums], saved: int, again: list[Again]) -> Summary:
    """Sums of a span in one."""
    return Summary(
        spent=sum(part.cost for part in found),
        estimated=sum(part.estimated for part in found),
        saved=saved,
        calls=sum(part.calls for part in found),
        characters=sum(part.characters for part in found),
        unpriced=sum(part.unpriced for part in found),
        begun=sum(part.calls for part in found if part.outcome == BEGUN),
        again=again,
    )


def saved(since: int = 0, until: int = NEVER) -> int:
    """What the hits of a span would have cost."""
    counts = _of(Count, since, until).filter(name=SAVED)
    return counts.aggregate(**_sums("value"))["value_sum"] or 0


def latencies(since: int = 0, until: int = NEVER) -> dict[tuple[str, str], list[int]]:
    """How long calls took, by provider and model: their number by bucket of `audiocache.stats`."""
    rows = _of(CallLatency, since, until).values("provider", "model", "bucket")
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows.annotate(**_sums("calls")).order_by("provider", "model", "bucket"):
        buckets = found.setdefault((row["provider"], row["model"]), [0] * BUCKETS)
        buckets[row["bucket"]] = row["calls_sum"]
    return found


# Inside


def _of(model: type[Any], since: int, until: int) -> QuerySet[Any]:
    """The rows of a span; hours that were folded into days stand in these."""
    rows = rows_of(model).filter(resolution__in=STEPS)
    return rows.filter(period__gte=since, period__lt=until)


def _sums(*names: str) -> dict[str, Sum]:
    return {f"{name}_sum": Sum(name) for name in names}
