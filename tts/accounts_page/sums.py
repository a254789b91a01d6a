"""What calls cost in a span: one walk through its hours and days, from which all sums are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.db.models import F, Sum

from audiocache import finding, history
from audiocache.charges import BEGUN, OK
from audiocache.history import Span
from audiocache.models import Account, Charge
from audiocache.stats import quantile
from tts import accounts
from tts.accounts import STEPS, Again, Moment, Summary

FAILED_SHOWN: Final = 10
LATEST: Final = 1000
"""Among so many calls those that failed are looked for."""


class Part(NamedTuple):
    """What one model's calls with one outcome and cause were, in one step of a span."""

    provider: str
    model: str
    outcome: str
    cause: str
    step: int
    calls: int
    characters: int
    cost: int
    estimated: int
    unpriced: int


@dataclass(slots=True)
class Calls:
    """The calls of a span to one model."""

    provider: str
    model: str
    calls: int = 0
    characters: int = 0
    cost: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """How many calls ended how, but for the good ones."""
    took: Mapping[float, float] = field(default_factory=dict)
    """Percentiles in ms."""

    @property
    def failed(self) -> int:
        """All kinds together."""
        return self.failures.total()

    @property
    def kinds(self) -> list[tuple[str, int]]:
        """Of failures, the most frequent first."""
        return self.failures.most_common()

    def add(self, part: Part) -> None:
        """What was done with one outcome."""
        self.calls += part.calls
        self.characters += part.characters
        self.cost += part.cost
        if part.outcome not in {OK, BEGUN}:
            self.failures[part.outcome] += part.calls


def parts(span: Span) -> list[Part]:
    """All of a span."""
    finding.ready()
    labels = ("provider", "model", "outcome", "cause", "start")
    names = ("calls", "characters", "cost", "estimated", "unpriced")
    rows = Account.objects.get_queryset().filter(
        resolution__in=STEPS, period__gte=span.since, period__lt=span.until
    )
    steps = rows.annotate(start=F("period") - F("period") % span.step).values(*labels)
    sums = steps.annotate(**{f"{name}_sum": Sum(name) for name in names}).order_by()
    return [Part(*row) for row in sums.values_list(*labels, *(f"{name}_sum" for name in names))]


def summary(found: Sequence[Part], saved: int) -> Summary:
    """All of it in one."""
    return accounts.added_up(found, saved, _again(part for part in found if part.cause))


def moments(found: Iterable[Part], saved: Sequence[int], span: Span) -> list[Moment]:
    """One for each step; `saved` is by step."""
    number, cost, again = Counter[int](), Counter[int](), Counter[int]()
    for part in found:
        number[part.step] += part.calls
        cost[part.step] += part.cost
        again[part.step] += part.cost if part.cause else 0
    return [
        Moment(step, number[step], cost[step], again[step], spared)
        for step, spared in zip(span.periods, saved, strict=True)
    ]


def calls(found: Iterable[Part], latest: Span) -> list[Calls]:
    """By provider and model, the dearest first; how long they took of the `latest` span."""
    by_name: dict[tuple[str, str], Calls] = {}
    for part in found:
        name = (part.provider, part.model)
        by_name.setdefault(name, Calls(*name)).add(part)
    for name, buckets in accounts.latencies(latest.since, latest.until).items():
        took = {share: quantile(buckets, share) for share in history.SHARES}
        by_name.setdefault(name, Calls(*name)).took = took
    return sorted(by_name.values(), key=lambda each: (-each.cost, -each.calls))


def failed(since: int) -> list[Charge]:
    """The last calls that failed, among the last there were: no walk through all of them."""
    finding.ready()
    charges = Charge.objects.get_queryset()
    latest = charges.filter(at__gte=since).order_by("-at").values("pk")[:LATEST]
    wrong = charges.filter(pk__in=latest).exclude(outcome__in=(OK, BEGUN))
    return list(wrong.order_by("-at")[:FAILED_SHOWN])


def _again(found: Iterable[Part]) -> list[Again]:
    calls, cost = Counter[str](), Counter[str]()
    for part in found:
        calls[part.cause] += part.calls
        cost[part.cause] += part.cost
    return [Again(cause, calls[cause], sum_) for cause, sum_ in cost.most_common()]
