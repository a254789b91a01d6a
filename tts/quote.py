"""What warming will cost, before anything is paid for: clips, units, money, minutes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from audiocache.clock import DAY_MS, now_ms
from tts import accounts
from tts.limits import warming_at_once
from tts.metering import expected
from tts.prepared import Prepared
from tts.prices import CHARACTERS, TOKENS
from tts.service import TTSService
from tts.speech import SpeechRequest

ASSUMED_SECONDS: Final = 1.0
"""Of a call, where none was measured."""
LATEST_MS: Final = 7 * DAY_MS
"""Calls of so long ago say how long one takes."""


@dataclass(slots=True)
class Quote:
    """Of what is missing; amounts are millionths of a USD."""

    at_once: int
    seconds_a_call: float
    measured: bool
    """False: the seconds are assumed."""
    calls: int = 0
    """Clips that are paid for; others are formats of one that is there."""
    units: int = 0
    unit: str = ""
    characters: int = 0
    """As budgets count them."""
    cost: int = 0
    estimated: bool = False
    """By a list price, or in units that nobody knows before the answer."""
    unpriced: int = 0
    """Calls whose price is not known; they are missing in the cost."""

    @property
    def seconds(self) -> float:
        """Until all are made."""
        return self.calls * self.seconds_a_call / self.at_once

    @property
    def minutes(self) -> int:
        """The same, begun ones too."""
        return math.ceil(self.seconds / 60)


def quote_of(
    service: TTSService,
    requests: Iterable[SpeechRequest],
    namespace: str = "",
    at: int | None = None,
) -> Quote:
    """Of complete requests that are not stored, at an instant (ms)."""
    now = now_ms() if at is None else at
    measured = _seconds_a_call(service, now) if service.provider.remote else 0.0
    quote = Quote(
        at_once=warming_at_once(service.config.max_concurrent),
        seconds_a_call=ASSUMED_SECONDS if measured is None else measured,
        measured=measured is not None,
    )
    sources = set[str]()
    for request in requests:
        prepared = service.prepared(request, namespace)
        paid = service.renditions.paid(prepared)
        bought = paid.clip.key if service.renditions.pays_for_each else paid.clip.source_key
        if bought in sources or not _is_paid(service, prepared):
            continue
        sources.add(bought)
        _add(quote, service, paid.request.spoken(), now)
    return quote


def _is_paid(service: TTSService, prepared: Prepared) -> bool:
    return service.provider.remote and not service.renditions.costs_nothing(prepared)


def _add(quote: Quote, service: TTSService, request: SpeechRequest, at: int) -> None:
    price = service.till.price_of(request, at)
    unit = price.unit if price else service.provider.price_unit
    units = expected(unit, service.provider, request)
    quote.calls += 1
    quote.units += units
    quote.unit = unit
    quote.characters += units if unit == CHARACTERS else len(request.text)
    if price is None:
        quote.unpriced += 1
    else:
        quote.cost += price.cost(units)
        # The same unit by the provider's own rule, or a guess.
        quote.estimated |= price.estimated or unit != service.provider.price_unit or unit == TOKENS


def _seconds_a_call(service: TTSService, now: int) -> float | None:
    """The mean of the latest calls to this provider; None: there were none."""
    name = service.provider.name
    calls, micros = 0, 0.0
    for (provider, _), buckets in accounts.latencies(now - LATEST_MS).items():
        if provider == name:
            calls += sum(buckets)
            # The middle of a bucket, which ends at 2**exponent microseconds.
            micros += sum(0.75 * 2**exponent * number for exponent, number in enumerate(buckets))
    return micros / calls / 1_000_000 if calls else None
