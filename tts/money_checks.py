"""System checks of money: a budget that cannot be kept, and what is paid for again.

What asks the database runs only where that is asked for: `check --database`, and `migrate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from audiocache import database
from audiocache.clock import now_ms
from audiocache.conf import PERSISTENT, CacheConfig
from tts.advice import Advice, advice
from tts.budget import USD, Budget
from tts.conf import TTSConfig
from tts.metering import Till
from tts.providers import build_provider
from tts.providers.base import Provider
from tts.speech import SpeechRequest


@register("tts")
def check_budget(**_: Any) -> list[CheckMessage]:
    """tts.E011 and W012; wrong settings have messages of their own."""
    try:
        config, cache = TTSConfig.load(), CacheConfig.load()
        if not (config.enabled and Budget(config).is_set):
            return []
        return [*_without_database(cache), *_without_price(config, build_provider(config))]
    except (ImproperlyConfigured, ValueError):
        return []


@register("audiocache", Tags.database)
def check_paid_again(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """tts.W013: a setting that would have saved money."""
    try:
        if database.default_alias() not in (databases or ()):
            return []
        found = advice()
    except (ImproperlyConfigured, DatabaseError, OSError):
        return []
    return [_warning(one) for one in found if one.cost]


def _without_database(cache: CacheConfig) -> Iterator[CheckMessage]:
    if PERSISTENT not in cache.tier_names:
        yield Error(
            f"TTS_BUDGET_... cannot be kept: CACHE_BACKEND={cache.backend} has no database.",
            hint="Set CACHE_BACKEND to multi-tier or sqlite.",
            id="tts.E011",
        )


def _without_price(config: TTSConfig, provider: Provider) -> Iterator[CheckMessage]:
    money = config.budget_daily is not None or config.budget_monthly is not None
    if not (money and provider.remote):
        return
    request = provider.complete(SpeechRequest("."))
    if Till(provider, config).price_of(request, now_ms()) is None:
        yield Warning(
            f"TTS_BUDGET_... is in USD, and nobody knows what {provider.name} costs.",
            hint="Set TTS_PRICES, or a budget in characters.",
            id="tts.W012",
        )


def _warning(one: Advice) -> CheckMessage:
    return Warning(
        f"{one.cost / USD:,.2f} USD were paid again in 30 days for {one.calls:,} clips that had"
        f" {one.cause if one.cause == 'expired' else 'been evicted'}.",
        hint=f"Set {one.setting} to {one.value:,}; it is {one.now:,}. See docs/money.md.",
        id="tts.W013",
    )
