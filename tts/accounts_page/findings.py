"""What the figures say, and what to do about it: one function for each finding.

A remedy is a setting or a command to type; of a setting, its environment name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from audiocache.charges import CACHE_OFF, EVICTED, LOST, REMOVED
from audiocache.conf import PERSISTENT
from tts.accounts_page.figures import Figures
from tts.accounts_page.sums import Calls
from tts.accounts_page.tiers import Tier
from tts.budget import WARNED_AT
from tts.templatetags.accounts import count, money, share

FULL: Final = 0.9
MANY_FAIL: Final = 0.05
ENOUGH_CALLS: Final = 20
LOW_HIT_RATE: Final = 0.5
ENOUGH_LOOK_UPS: Final = 100
SOON: Final = 0.5
"""So much of the table that expires within a day is worth a word."""

REMEDIES: Final = {
    "quota_spent": "TTS_FALLBACKS=openai,espeak",
    "wrong_key": "TTS_API_KEY=…",
    "rate_limited": "TTS_MAX_CONCURRENT=4",
    "not_audio": "admin: Refused clips",
    "request_refused": "manage.py audiocache explain TEXT",
}
"""By the kind of error."""
CAUSES: Final = {
    REMOVED: (_lazy("Paid for again because the clip was removed or replaced:"), ""),
    LOST: (_lazy("Paid for again because no tier had it any more:"), "manage.py audiocache doctor"),
    CACHE_OFF: (_lazy("Paid for again because it was asked for anew, or not to be stored:"), ""),
}
"""Why a clip is paid for again, where no limit would have helped; of those `tts.advice` knows."""
OTHERWISE: Final = "CACHE_STALE_IF_ERROR_HOURS=48 TTS_FALLBACKS=espeak"


class Finding(NamedTuple):
    """A sentence, and what to type; perhaps nothing."""

    told: str
    remedy: str = ""


Findings = Iterator[Finding]


def findings(figures: Figures) -> list[Finding]:
    """All there are, the gravest first."""
    return [found for look in LOOKS for found in look(figures)]


def no_database(figures: Figures) -> Findings:
    """Then nothing is written down."""
    if not figures.kept:
        told = _("The cache has no database: there are no accounts, and clips are not kept.")
        yield Finding(told, "CACHE_BACKEND=multi-tier")


def wrong_settings(figures: Figures) -> Findings:
    """Of speech."""
    if figures.misconfigured:
        yield Finding(_("The settings of speech are wrong."), "manage.py check")


def tiers_in_trouble(figures: Figures) -> Findings:
    """Those that are passed over now."""
    for tier in figures.tiers:
        if not tier.now["available"]:
            told = _("The tier “%s” does not answer; it is passed over.") % tier.name
            yield Finding(told, "manage.py audiocache doctor")


def open_breakers(figures: Figures) -> Findings:
    """Providers that are not asked now."""
    for provider in figures.providers:
        if provider["state"] != "closed":
            words = {"name": provider["provider"], "kind": provider["kind"]}
            told = _("“%(name)s” is not asked now, for its calls failed: %(kind)s.") % words
            yield Finding(told, REMEDIES.get(provider["kind"], OTHERWISE))


def failing_calls(figures: Figures) -> Findings:
    """Models of which one call in twenty, or more, failed."""
    for calls in figures.calls:
        if calls.calls >= ENOUGH_CALLS and calls.failed >= MANY_FAIL * calls.calls:
            yield _failing(calls)


def _failing(calls: Calls) -> Finding:
    [(kind, _number)] = calls.failures.most_common(1)
    told = _("%(part)s of the calls to “%(name)s” failed, most of them by %(kind)s.") % {
        "part": share(calls.failed / calls.calls),
        "name": " ".join(filter(None, (calls.provider, calls.model))),
        "kind": kind,
    }
    return Finding(told, REMEDIES.get(kind, OTHERWISE))


def full_table(figures: Figures) -> Findings:
    """The database tier at its limit, which makes clips leave before their time."""
    if any(one.cause == EVICTED for one in figures.advice):
        return  # that says more
    for tier in figures.tiers:
        if tier.name == PERSISTENT and tier.evicted and (remedy := _more_room(tier)):
            told = ngettext(
                "The database is full: %s clip had to leave before its time.",
                "The database is full: %s clips had to leave before their time.",
                tier.evicted,
            )
            yield Finding(told % count(tier.evicted), remedy)


def _more_room(tier: Tier) -> str:
    """Twice the limits that are nearly reached."""
    settings = []
    if (tier.entries_fill or 0) >= FULL:
        settings.append(f"CACHE_PERSISTENT_MAX_SIZE={2 * tier.now['max_entries']}")
    if (tier.bytes_fill or 0) >= FULL:
        settings.append(f"CACHE_PERSISTENT_MAX_MB={2 * tier.now['max_bytes'] // 2**20}")
    return " ".join(settings)


def wiser_settings(figures: Figures) -> Findings:
    """Limits that would have saved what was paid for again."""
    for one in figures.advice:
        told = _("This setting would have saved %(cost)s: %(calls)s for clips that %(cause)s.")
        cause = _("had to make room") if one.cause == EVICTED else _("had expired")
        words = {"cost": money(one.cost), "calls": _calls(one.calls), "cause": cause}
        yield Finding(told % words, f"{one.setting}={one.value:g}")


def paid_again(figures: Figures) -> Findings:
    """Money that no limit would have saved, the most first."""
    for again in figures.summary.again:
        if again.cause in CAUSES and again.calls:
            told, remedy = CAUSES[again.cause]
            yield Finding(f"{told} {_calls(again.calls)}, {money(again.cost)}.", remedy)


def budgets(figures: Figures) -> Findings:
    """Those of which little is left."""
    for used in figures.budgets:
        if used.ratio >= WARNED_AT:
            name = f"TTS_BUDGET_{used.name.upper()}"
            told = _("%(part)s of the budget %(name)s are spent; at 100 %% no call is paid for.")
            yield Finding(told % {"part": share(used.ratio), "name": name}, f"{name}=…")


def _calls(number: int) -> str:
    return ngettext("%s call", "%s calls", number) % count(number)


def no_prices(figures: Figures) -> Findings:
    """Billed calls that are missing in the sums."""
    if number := figures.summary.unpriced:
        told = ngettext(
            "The price of %s billed call is not known: it is missing in what was spent.",
            "The price of %s billed calls is not known: they are missing in what was spent.",
            number,
        )
        yield Finding(told % count(number), 'TTS_PRICES=[{"provider": "…", "rate": …}]')


def low_hit_rate(figures: Figures) -> Findings:
    """Where most of what is asked for is in no tier."""
    if not figures.tiers:
        return
    asked = figures.tiers[0].hits + figures.tiers[0].misses
    rate = sum(tier.hits for tier in figures.tiers) / asked if asked else 1.0
    if asked >= ENOUGH_LOOK_UPS and rate < LOW_HIT_RATE:
        told = _("Of all look-ups only %s found a clip. Phrases that are known can be made ahead.")
        yield Finding(told % share(rate), "manage.py audiocache warm FILE --dry-run")


def expires_soon(figures: Figures) -> Findings:
    """Where most of the table is to be paid for anew within a day."""
    held = next((tier.now for tier in figures.tiers if tier.name == PERSISTENT), {})
    entries = held.get("entry_count") or 0
    if figures.day and entries and figures.day.entries >= max(SOON * entries, ENOUGH_CALLS):
        told = _("%s of all clips expire within a day, and are paid for again when asked for.")
        yield Finding(told % share(min(1.0, figures.day.entries / entries)), "CACHE_TTL_HOURS=720")


LOOKS: Final[tuple[Callable[[Figures], Findings], ...]] = (
    no_database,
    wrong_settings,
    tiers_in_trouble,
    open_breakers,
    budgets,
    failing_calls,
    wiser_settings,
    paid_again,
    full_table,
    no_prices,
    low_hit_rate,
    expires_soon,
)
"""In the order in which they are told."""
