"""What hits have saved: counted from what each clip cost, with nothing in the way of a hit."""

from __future__ import annotations

import pytest

from audiocache import touches
from audiocache.cache import MultiTierAudioCache
from audiocache.entries import Clip, Recording
from audiocache.keys import clip_of
from audiocache.models import Count
from audiocache.touches import Touches
from tests.audiocache.conftest import ALIASES, NewCache
from tests.factories import FakeClock, entry

HELLO = clip_of("hello")


def saved(kind: str) -> dict[str, int]:
    rows = Count.objects.using(ALIASES[kind]).filter(name="cache.saved")
    return {row.resolution: row.value for row in rows}


def store(cache: MultiTierAudioCache, cost: int | None = 150, clip: Clip = HELLO) -> None:
    cache.store(clip, Recording(audio=b"sound", cost=cost))


def test_hits_of_all_tiers_save_what_the_clip_cost(
    cache: MultiTierAudioCache, new_cache: NewCache, sql_kind: str
) -> None:
    store(cache)
    for _ in range(3):
        assert cache.find(HELLO)
    other = new_cache(sql_kind)  # as another process: its memory is empty
    assert other.find(HELLO)
    assert other.find_many([HELLO])
    assert not other.find(clip_of("nothing"))
    cache.flush()
    other.flush()
    assert saved(sql_kind) == {"a": 5 * 150, "h": 5 * 150}
    cache.flush()
    assert saved(sql_kind)["a"] == 5 * 150


def test_what_cost_nothing_saves_nothing(cache: MultiTierAudioCache, sql_kind: str) -> None:
    store(cache, cost=None)
    cache.find(HELLO)
    cache.flush()
    assert saved(sql_kind) == {}


def test_what_is_gone_by_then_has_saved_it(cache: MultiTierAudioCache, sql_kind: str) -> None:
    store(cache)
    cache.find(HELLO)
    cache.discard(HELLO)
    store(cache, clip=clip_of("other"))
    cache.find(clip_of("other"))
    cache.clear()
    cache.flush()
    assert saved(sql_kind)["a"] == 300


def test_a_hit_saves_what_the_clip_cost_then(cache: MultiTierAudioCache, sql_kind: str) -> None:
    store(cache, cost=100)
    cache.find(HELLO)
    cache.find(HELLO)
    store(cache, cost=1_000)
    cache.find(HELLO)
    cache.flush()
    assert saved(sql_kind)["a"] == 1_200


def test_an_older_clip_for_want_of_a_new_one_saves_nothing(
    new_cache: NewCache, sql_kind: str, clock: FakeClock
) -> None:
    cache = new_cache(sql_kind, stale_if_error_hours=1, ttl_hours=1)
    store(cache)
    clock.now += 3_700_000
    assert cache.find_stale(HELLO)
    cache.flush()
    assert saved(sql_kind) == {}


def test_where_statistics_are_off_nothing_is_counted(new_cache: NewCache, sql_kind: str) -> None:
    cache = new_cache(sql_kind, enable_statistics=False)
    store(cache)
    cache.find(HELLO)
    cache.flush()
    assert saved(sql_kind) == {}


def test_more_clips_than_are_remembered_are_looked_up_in_memory(
    cache: MultiTierAudioCache, sql_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touches, "PRICED", 3)
    store(cache)
    cache.ladder.touches.note_costs(entry(str(number)) for number in range(3))
    assert cache.ladder.touches.unpriced([HELLO.key]) == [HELLO.key]
    cache.find(HELLO)
    cache.flush()
    assert saved(sql_kind)["a"] == 150


@pytest.mark.parametrize("hits", [0, 7])
def test_what_was_counted_is_not_counted_again(hits: int) -> None:
    counted = Touches()
    counted.note_costs([entry("a", cost=5)])
    counted.add_all([entry("a").key] * hits)
    counted.count_saved(counted.drain())
    counted.count_saved(counted.drain())
    assert counted.saved == 5 * hits


def test_a_hit_that_heard_of_removals_first_saves_once(
    cache: MultiTierAudioCache, sql_kind: str
) -> None:
    store(cache)
    cache.ladder.trusted_until = 0
    assert cache.find(HELLO)
    cache.flush()
    assert saved(sql_kind)["a"] == 150
