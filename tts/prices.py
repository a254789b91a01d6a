"""What providers ask for: the table in settings over list prices, by the instant of the call.

TTS["PRICES"] is a list of {"provider", "unit", "rate"} and, where they matter, "model", "voice"
(patterns such as "eleven_flash*") and "since". A rate is USD for a million units.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

CHARACTERS: Final = "characters"
BYTES: Final = "bytes"
TOKENS: Final = "tokens"
SECONDS: Final = "seconds"
UNITS: Final = (CHARACTERS, BYTES, TOKENS, SECONDS)

ANY: Final = "*"
FIELDS: Final = ("provider", "model", "voice", "unit", "rate", "since")
MOST_USD: Final = 1_000_000
"""For a million units: more is a mistake."""


class Price(NamedTuple):
    """For whom it holds, since when (ms), and what a million units cost in USD."""

    provider: str
    unit: str
    rate: Decimal
    model: str = ANY
    voice: str = ANY
    since: int = 0
    estimated: bool = False
    """A list price: a contract may say another."""

    def cost(self, units: int) -> int:
        """Of so many units, in millionths of a USD."""
        return int((self.rate * units).to_integral_value(ROUND_HALF_UP))

    def holds_for(self, provider: str, model: str, voice: str, at: int) -> bool:
        """At an instant."""
        named = fnmatchcase(model, self.model) and fnmatchcase(voice, self.voice)
        return self.provider == provider and named and self.since <= at

    @property
    def rank(self) -> tuple[int, int]:
        """The more of a name it says, and then the later it began, the better it fits."""
        return len((self.model + self.voice).replace(ANY, "")), self.since


def _listed(provider: str, rate: int, model: str = ANY, voice: str = ANY) -> Price:
    return Price(provider, CHARACTERS, Decimal(rate), model, voice, estimated=True)


LIST_PRICES: Final = (
    _listed("elevenlabs", 80),
    _listed("elevenlabs", 40, "eleven_flash*"),
    _listed("elevenlabs", 40, "eleven_turbo*"),
    _listed("openai", 15, "tts-1"),
    _listed("openai", 30, "tts-1-hd"),
    Price("openai", SECONDS, Decimal(250), "gpt-4o-mini-tts*", estimated=True),
    _listed("azure", 15),
    _listed("google", 4, voice="*-Standard-*"),
    _listed("google", 16, voice="*-Neural2-*"),
    _listed("google", 30, voice="*-Chirp*"),
    _listed("polly", 4, "standard"),
    _listed("polly", 16, "neural"),
    _listed("polly", 30, "generative"),
    _listed("polly", 100, "long-form"),
)
"""Of November 2026, as docs/providers.md has them; that of gpt-4o-mini-tts by the vendor's own
estimate of 0.015 USD a minute."""


class PriceTable:
    """Prices of settings over list prices."""

    def __init__(self, prices: Iterable[Price] = (), listed: Iterable[Price] = LIST_PRICES) -> None:
        self._tables = (tuple(prices), tuple(listed))

    def price_of(self, provider: str, model: str, at: int, voice: str = "") -> Price | None:
        """The price at an instant (ms); None: nobody knows it."""
        for table in self._tables:
            fitting = [price for price in table if price.holds_for(provider, model, voice, at)]
            if fitting:
                return max(fitting, key=lambda price: price.rank)
        return None


# As it stands in settings


def prices_in(value: Any) -> tuple[Price, ...]:
    """TTS["PRICES"], in the environment as JSON. Raises ValueError that names the row."""
    if value is None or value == ():
        return ()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("must be a JSON list") from None
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, not {type(value).__name__}")
    return tuple(_row(number, given) for number, given in enumerate(value, start=1))


def _row(number: int, given: object) -> Price:
    if isinstance(given, Price):
        return given
    try:
        return _price(given)
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from None


def _price(given: object) -> Price:
    if not isinstance(given, Mapping):
        raise ValueError(f"must be a dict, not {type(given).__name__}")
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(FIELDS)}")
    return Price(
        provider=_word(given, "provider"),
        unit=_unit(given.get("unit", CHARACTERS)),
        rate=_rate(given.get("rate")),
        model=_word(given, "model", ANY),
        voice=_word(given, "voice", ANY),
        since=_since(given.get("since")),
    )


def _word(given: Mapping[str, Any], name: str, default: str = "") -> str:
    value = given.get(name) or default
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be text")
    return value


def _unit(value: Any) -> str:
    if value not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}")
    return str(value)


def _rate(value: Any) -> Decimal:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        rate = Decimal("NaN")
    if isinstance(value, bool) or not rate.is_finite() or not 0 <= rate <= MOST_USD:
        raise ValueError(f"rate must be USD for a million units, from 0 to {MOST_USD}")
    return rate


def _since(value: Any) -> int:
    """ms; of what says no zone, UTC's."""
    if value is None:
        return 0
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("since must be a date such as 2026-11-22 or 2026-11-22T12:00") from None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(zoned.timestamp() * 1000)
