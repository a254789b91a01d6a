"""All that the page shows, read with as many queries however much there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

from audiocache import finding
from audiocache.clock import now_ms
from audiocache.history import DAY, Span
from audiocache.models import Charge
from audiocache.upkeep import SAVED
from tts import accounts, budget
from tts.accounts import Moment, Summary
from tts.accounts_page import sums
from tts.accounts_page.spans import Choice
from tts.accounts_page.sums import Calls
from tts.accounts_page.tiers import Tier, counted, tiers
from tts.advice import Advice, advice
from tts.budget import Used
from tts.service import get_tts_service

WEEK: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything."""

    span: Span
    latest: Span
    """Of which it is told how long calls took."""
    kept: bool
    """Are there accounts at all?"""
    summary: Summary
    moments: list[Moment]
    """One for each step of the span."""
    tiers: list[Tier]
    calls: list[Calls]
    failed: list[Charge]
    providers: list[dict[str, Any]]
    """As `get_provider_stats()` has them; of this process."""
    misconfigured: bool
    advice: list[Advice]
    """Settings that would have saved money in the `latest` span: it looks at its purchases."""
    budgets: list[Used]
    day: finding.Expiring | None
    """What expires within a day; None: there is no database."""
    week: finding.Expiring | None


def figures(choice: Choice, now: int | None = None) -> Figures:
    """Of a span until now (ms)."""
    now = now or now_ms()
    span, latest, kept = choice.span(now), choice.latest(now), accounts.is_kept()
    parts, counts = sums.parts(span) if kept else [], counted(span, kept=kept)
    providers = _providers()
    return Figures(
        span=span,
        latest=latest,
        kept=kept,
        summary=sums.summary(parts, sum(counts[SAVED])),
        moments=sums.moments(parts, counts[SAVED], span),
        tiers=tiers(counts, latest, kept=kept),
        calls=sums.calls(parts, latest),
        failed=sums.failed(span.since) if kept else [],
        providers=providers or [],
        misconfigured=providers is None,
        advice=advice(latest.since, latest.until) if kept else [],
        budgets=budget.state() if kept and providers is not None else [],
        day=finding.expiring(now, now + DAY) if kept else None,
        week=finding.expiring(now, now + WEEK) if kept else None,
    )


def _providers() -> list[dict[str, Any]] | None:
    """None: the settings are wrong."""
    try:
        service = get_tts_service()
    except ImproperlyConfigured:
        return None
    wrong = service.config.enabled and not service.is_enabled()
    return None if wrong else service.get_provider_stats()
