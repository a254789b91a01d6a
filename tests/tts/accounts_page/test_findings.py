"""What the page says is wrong, and what it says to do about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from audiocache.finding import Expiring
from tts.accounts import Again, Summary
from tts.accounts_page.figures import Figures
from tts.accounts_page.findings import findings
from tts.accounts_page.spans import CHOICES
from tts.accounts_page.sums import Calls
from tts.accounts_page.tiers import Tier
from tts.advice import Advice
from tts.budget import Used

NOW = 20_000 * 86_400_000
NOTHING: Summary = Summary(0, 0, 0, 0, 0, 0, 0, [])
HEALTHY: dict[str, Any] = {
    "available": True, "entry_count": 100, "max_entries": 1000,
    "total_size_bytes": 5 * 2**20, "max_bytes": 500 * 2**20,
}  # fmt: skip


def tier(
    name: str = "persistent", hits: int = 9, misses: int = 1, evicted: int = 0, **now: Any
) -> Tier:
    events = {"hits": [hits], "misses": [misses], "evicted": [evicted]}
    return Tier(name, HEALTHY | now, True, events, {})


def well(**fields: Any) -> Figures:
    """Figures of which nothing is to be said, but for these."""
    span = CHOICES[0].span(NOW)
    figures = Figures(
        span=span, latest=span, kept=True, summary=NOTHING, moments=[], tiers=[tier()], calls=[],
        failed=[], providers=[{"provider": "acme", "state": "closed", "kind": "", "seconds": 0.0}],
        misconfigured=False, advice=[], budgets=[],
        day=Expiring(0, 0, False), week=Expiring(0, 0, False),
    )  # fmt: skip
    return replace(figures, **fields)


def told(**fields: Any) -> tuple[str, str]:
    [found] = findings(well(**fields))
    return found


def test_of_what_is_well_nothing_is_said() -> None:
    assert findings(well()) == []
    assert findings(well(calls=[Calls("acme", "m1", calls=20)])) == []


def test_no_database() -> None:
    assert told(kept=False, tiers=[])[1] == "CACHE_BACKEND=multi-tier"


def test_a_tier_in_trouble() -> None:
    assert "“persistent” does not answer" in told(tiers=[tier(available=False)])[0]


def test_a_provider_that_is_not_asked() -> None:
    broken = {"provider": "acme", "state": "open", "kind": "quota_spent", "seconds": 30.0}
    sentence, remedy = told(providers=[broken])
    assert "“acme” is not asked now" in sentence
    assert remedy == "TTS_FALLBACKS=openai,espeak"
    assert "TTS_FALLBACKS=espeak" in told(providers=[broken | {"kind": "provider_down"}])[1]


def test_calls_that_fail() -> None:
    failures = Counter(rate_limited=3, provider_down=1)
    sentence, remedy = told(calls=[Calls("acme", "m1", calls=40, failures=failures)])
    assert sentence.startswith(
        "10.0 % of the calls to “acme m1” failed, most of them by rate_limit"
    )
    assert remedy == "TTS_MAX_CONCURRENT=4"


def test_a_full_table_needs_more_room() -> None:
    full = tier(evicted=7, entry_count=990, total_size_bytes=480 * 2**20)
    sentence, remedy = told(tiers=[full])
    assert "7 clips had to leave" in sentence
    assert remedy == "CACHE_PERSISTENT_MAX_SIZE=2000 CACHE_PERSISTENT_MAX_MB=1000"
    assert findings(well(tiers=[tier(entry_count=990)])) == []


def test_what_was_paid_again_and_which_setting_would_have_saved_it() -> None:
    again = [Again("evicted", 1200, 9_000_000), Again("removed", 1, 10)]
    wiser = Advice("CACHE_PERSISTENT_MAX_SIZE", 1000, 2200, "evicted", 1200, 9_000_000)
    full = [tier(evicted=7, entry_count=990)]
    summary = NOTHING._replace(again=again)
    evicted, removed = findings(well(summary=summary, advice=[wiser], tiers=full))
    assert "saved $9.00: 1,200 calls for clips that had to make room." in evicted.told
    assert evicted.remedy == "CACHE_PERSISTENT_MAX_SIZE=2200"
    assert removed.told.endswith("removed or replaced: 1 call, $0.000010.")


def test_a_budget_of_which_little_is_left() -> None:
    assert findings(well(budgets=[Used("daily", 79, 100)])) == []
    sentence, remedy = told(budgets=[Used("daily", 85, 100)])
    assert (
        sentence == "85.0 % of the budget TTS_BUDGET_DAILY are spent; at 100 % no call is paid for."
    )
    assert remedy == "TTS_BUDGET_DAILY=…"


def test_prices_that_nobody_knows() -> None:
    assert "price of 3 billed calls is not known" in told(summary=NOTHING._replace(unpriced=3))[0]


def test_few_look_ups_find_a_clip() -> None:
    tiers = [tier("memory", hits=10, misses=190), tier(hits=20, misses=170)]
    sentence, remedy = told(tiers=tiers)
    assert "only 15.0 % found a clip" in sentence
    assert remedy == "manage.py audiocache warm FILE --dry-run"
    assert findings(well(tiers=[tier(hits=1, misses=20)])) == []


def test_most_of_the_table_expires() -> None:
    assert told(day=Expiring(60, 1, False))[0].startswith("60.0 % of all clips expire within a day")
