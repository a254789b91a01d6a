"""What puts and clean-ups clear away beside entries past their time."""

from __future__ import annotations

import pytest
from django.db.models import F

from audiocache.models import AudioCacheEntry, Lease, Removal
from audiocache.removals.values import Removal as Removed
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.places import PlaceStore
from audiocache.tiers.sql import log_base
from tests.audiocache.conftest import NewTier
from tests.factories import NOW, entry

KEPT = 50
LONG_AGO = 1


@pytest.fixture
def tier(new_tier: NewTier, sql_kind: str, monkeypatch: pytest.MonkeyPatch) -> PersistentTier:
    """A database whose removal log holds few rows."""
    monkeypatch.setattr(log_base, "KEPT", KEPT)
    made: PersistentTier = new_tier(sql_kind)
    return made


def told(tier: PersistentTier) -> int:
    return Removal.objects.using(tier.alias).count()


def test_law_8_the_removal_log_stays_short_however_many_clips_are_replaced(
    tier: PersistentTier,
) -> None:
    for later in range(4):
        tier.put_many([entry(str(number), created=NOW + later) for number in range(300)])
    assert KEPT <= told(tier) <= KEPT + 20
    for later in range(4, 100):
        tier.put_many([entry("0", created=NOW + later)])
    assert KEPT <= told(tier) <= KEPT + 20


def test_removals_leave_it_short(tier: PersistentTier) -> None:
    for number in range(KEPT + 20):
        tier.log.remove([Removed("text_digest", str(number))], NOW)
    assert told(tier) == KEPT


def test_a_clean_up_leaves_no_more_of_it_than_is_kept(tier: PersistentTier) -> None:
    tier.put_many([entry(str(number)) for number in range(300)])
    everything = AudioCacheEntry.objects.using(tier.alias).all()
    everything.update(revision=F("revision") + 1, created=F("created") + 1)  # as pins do
    assert told(tier) == 300
    assert tier.cleanup() == 0
    assert told(tier) == KEPT
    last = Removal.objects.using(tier.alias).latest("id").id
    assert last == 300


def places(tier: PersistentTier) -> PlaceStore:
    assert tier.places is not None
    return tier.places


def leases(tier: PersistentTier) -> int:
    return Lease.objects.using(tier.alias).count()


def test_places_and_pauses_that_ended_long_ago_are_swept(tier: PersistentTier) -> None:
    for number in range(130):
        places(tier).pause(f"account-{number}", 1000)
    places(tier).take("held", 2, "me", 600_000)
    pauses = Lease.objects.using(tier.alias).filter(name__startswith="pause:")
    pauses.update(deadline=LONG_AGO)
    tier.put_many([entry("a")])
    assert leases(tier) == 131 - 20
    tier.cleanup()
    assert [one.name for one in Lease.objects.using(tier.alias)] == ["place:held:0"]


def test_what_ended_a_moment_ago_is_left_for_who_asks_for_it(tier: PersistentTier) -> None:
    places(tier).pause("account", 1)
    tier.cleanup()
    assert leases(tier) == 1


def test_a_put_is_no_failure_when_only_the_tidying_was(
    tier: PersistentTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tier.tidying, "_places", "DELETE FROM nowhere LIMIT")
    assert tier.put_many([entry("a")]) == {entry("a").key}
    assert tier.get(entry("a").key) is not None
