"""What each call costs: priced when it begins, written down, and settled when it has ended.

What came as a success is billed, also what is refused as no sound; any other failure is not.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from audiocache.belonging import Belongings
from audiocache.cache import MultiTierAudioCache
from audiocache.charges import CACHE_OFF, Bought, PaidCall, new_call
from audiocache.entries import Clip, Recording
from audiocache.ledger import Ledger
from audiocache.rows import MAX_LABEL
from tts.attempts import OK, outcome_of, units_told
from tts.budget import Budget
from tts.conf import TTSConfig
from tts.exceptions import NotAudio, ProviderError
from tts.prices import BYTES, CHARACTERS, LIST_PRICES, SECONDS, TOKENS, Price, PriceTable
from tts.providers.base import Provider
from tts.speech import SpeechRequest

logger = logging.getLogger(__name__)

CHARACTERS_A_SECOND: Final = 15
CHARACTERS_A_TOKEN: Final = 4
"""Of English: for what is billed by neither characters nor bytes, before it is made."""
MOST_TIMES: Final = 100
"""A provider that bills so many times its own rule is in error."""
SMALL: Final = 1_000
"""So many units are believed of any text."""


class Till:
    """The prices and limits that the calls of a service go by."""

    def __init__(self, provider: Provider, config: TTSConfig) -> None:
        self.provider = provider
        self.kept_days = config.ledger_days
        self.budget = Budget(config)
        # Another server has another price than the vendor's list.
        self.prices = PriceTable(config.prices, () if provider.config.base_url else LIST_PRICES)

    def price_of(self, request: SpeechRequest, at: int) -> Price | None:
        """At an instant (ms)."""
        return self.prices.price_of(
            self.provider.name, request.model or "", at, request.voice or ""
        )


class Wanted(NamedTuple):
    """What the calls are for."""

    clip: Clip
    request: SpeechRequest
    """As it is sent."""
    anew: bool = False
    """Whatever is stored."""
    store: bool = True
    by_format: bool = False
    """Other formats of the sound are bought by themselves."""

    @property
    def bought(self) -> str:
        """The key of what is paid for: once, however often it is asked for."""
        return self.clip.key if self.by_format else self.clip.source_key


class Paid:
    """A call that runs, and what it brings."""

    def __init__(self, price: Price | None, begun: PaidCall) -> None:
        self.price = price
        self.begun = begun
        self.recording: Recording | None = None


class Meter:
    """Of the calls for one clip."""

    def __init__(self, till: Till, cache: MultiTierAudioCache, wanted: Wanted) -> None:
        self._till = till
        self._cache = cache
        self._ledger = ledger_of(cache, till.kept_days)
        self._wanted = wanted

    @contextmanager
    def paid(self, number: int) -> Iterator[Paid]:
        """Around a call; what is admitted is to be its `recording`. Raises BudgetSpent."""
        paid = self._begin(number)
        started = time.perf_counter()
        try:
            yield paid
        except Exception as error:
            self._end(paid, started, error)
            raise
        self._end(paid, started)

    def _begin(self, number: int) -> Paid:
        clip, request, provider = self._wanted.clip, self._wanted.request, self._till.provider
        at = self._cache.clock()
        price = self._till.price_of(request, at)
        unit = price.unit if price else provider.price_unit
        units = expected(unit, provider, request)
        call = PaidCall(
            call=new_call(),
            at=at,
            source_key=self._wanted.bought,
            namespace=clip.namespace,
            provider=_label(provider.name),
            model=_label(request.model),
            voice=_label(request.voice),
            number=number,
            units=units,
            unit=unit,
            characters=units if unit == CHARACTERS else len(request.text),
            cost=price.cost(units) if price else None,
            estimated=price.estimated or unit == TOKENS if price else False,
            cause="" if self._wanted.store and not self._wanted.anew else CACHE_OFF,
        )
        if self._ledger is not None:
            self._till.budget.begin(self._ledger, call)
        return Paid(price, call)

    def _end(self, paid: Paid, started: float, error: Exception | None = None) -> None:
        latency = round((time.perf_counter() - started) * 1000)
        recording = paid.recording or getattr(error, "recording", None)
        told = self._believed(_told(recording, error))
        ended = self._priced(paid, recording, told) if is_billed(error) else _free(paid.begun)
        ended = ended._replace(outcome=outcome_of(error), latency_ms=latency)
        if paid.recording is not None:
            cost = ended.cost if paid.recording.cost is None else paid.recording.cost
            paid.recording = dataclasses.replace(paid.recording, cost=cost, billed_units=told)
        if self._ledger is not None:
            self._ledger.settle(paid.begun, ended, self._bought(paid.recording, ended))

    def _believed(self, told: int | None) -> int | None:
        """The units that were told; None where the text cannot cost so many."""
        if told is None or 0 <= told <= self._most():
            return told
        logger.warning("a count of billed units is not believed: %s", self._till.provider.name)
        return None

    def _most(self) -> int:
        return max(SMALL, MOST_TIMES * self._till.provider.units(self._wanted.request))

    def _priced(self, paid: Paid, recording: Recording | None, told: int | None) -> PaidCall:
        begun, price = paid.begun, paid.price
        units, guessed = self._units(begun, recording, told)
        return begun._replace(
            units=units,
            characters=units if begun.unit == CHARACTERS else begun.characters,
            cost=price.cost(units) if price else None,
            estimated=begun.estimated or (guessed and price is not None),
        )

    def _units(
        self, begun: PaidCall, recording: Recording | None, told: int | None
    ) -> tuple[int, bool]:
        """As the provider says, else as expected; is that a guess?"""
        if begun.unit == self._till.provider.price_unit:
            return (begun.units, True) if told is None else (told, False)
        if begun.unit == SECONDS and recording and recording.duration_ms is not None:
            return math.ceil(recording.duration_ms / 1000), False
        return begun.units, begun.unit in {SECONDS, TOKENS}

    def _bought(self, recording: Recording | None, ended: PaidCall) -> Bought | None:
        if recording is None or ended.outcome != OK:
            return None
        life = self._cache.life(recording)
        return Bought(len(recording.audio), life.expires, self._wanted.store)


def expected(unit: str, provider: Provider, request: SpeechRequest) -> int:
    """Units of a call before it is made."""
    if unit == provider.price_unit:
        return provider.units(request)
    if unit == BYTES:
        return len(request.text.encode())
    per = {SECONDS: CHARACTERS_A_SECOND, TOKENS: CHARACTERS_A_TOKEN}.get(unit, 1)
    return math.ceil(len(request.text) / per)


def is_billed(error: Exception | None) -> bool:
    """Does a call that ended so cost money? A success does, whatever was in it."""
    status = error.status if isinstance(error, ProviderError) else None
    came = status is not None and 200 <= status < 300
    return error is None or came or isinstance(error, NotAudio)


def _told(recording: Recording | None, error: Exception | None) -> int | None:
    """Units as the provider says; of an answer without its end, by its headers."""
    return units_told(error, recording.billed_units if recording else None)


def _free(call: PaidCall) -> PaidCall:
    return call._replace(units=0, characters=0, cost=0, billed=False, estimated=False)


def _label(word: str | None) -> str:
    """As it stands in columns."""
    return (word or "").replace("\x00", "")[:MAX_LABEL]


_of_caches: Belongings[MultiTierAudioCache, Ledger | None] = Belongings()


def ledger_of(cache: MultiTierAudioCache, kept_days: int) -> Ledger | None:
    """The ledger that goes with a cache; `kept_days` count where it is made now."""
    return _of_caches.of(cache, lambda: Ledger.of(cache.config, cache.clock, kept_days))
