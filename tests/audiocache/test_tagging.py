"""Tags for what is there already: none is lost, no life is changed, nothing removed comes back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.entries import AudioEntry, Recording
from audiocache.models import AudioCacheEntry, Tag
from audiocache.tagging import with_tags
from tests.audiocache.conftest import ALIASES, NewCache

SOUND = b"RIFF of a sound"


def held(cache: MultiTierAudioCache, key: str) -> AudioEntry:
    entry = cache.look_for_any([key])
    assert entry is not None
    return entry


def tagged_by_eight(caches: list[MultiTierAudioCache], key: str) -> set[str]:
    """Each with a tag of his own, at once."""

    def tag(number: int) -> str:
        cache, name = caches[number % len(caches)], f"user:{number}"
        try:
            assert name in with_tags(cache, held(cache, key), [name]).tags
        finally:
            connections.close_all()
        return name

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(tag, range(8)))


def test_none_of_many_is_lost_and_the_clip_lives_as_long(
    new_cache: NewCache, sql_kind: str
) -> None:
    caches = [new_cache(sql_kind), new_cache(sql_kind)]
    key = caches[0].put("Hello", SOUND, voice="nova", tags=["menu"])
    before = held(caches[1], key)
    tags = {"menu"} | tagged_by_eight(caches, key)
    row = AudioCacheEntry.objects.using(ALIASES[sql_kind]).get()
    assert (row.expires, row.keep_until) == (before.expires, before.keep_until)
    assert row.created == before.created + 8
    assert set(Tag.objects.using(ALIASES[sql_kind]).values_list("tag", flat=True)) == tags
    for cache in caches:
        assert set(cache.tiers["distributed"].get_many([key])[key].tags) == tags
        cache.removal_mark()  # hears what the other one did
        assert set(held(cache, key).tags) == tags
    assert caches[1].discard_tag("user:5")
    caches[0].removal_mark()
    assert not any(cache.has("Hello", voice="nova") for cache in caches)


def test_none_is_lost_where_there_is_one_process() -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    key = cache.put("Hello", SOUND)
    tags = tagged_by_eight([cache], key)
    assert set(held(cache, key).tags) == tags
    cache.close()


def test_what_was_removed_stays_removed(cache: MultiTierAudioCache) -> None:
    key = cache.put("Hello", SOUND, voice="nova")
    entry = held(cache, key)
    assert cache.remove("Hello", voice="nova")
    assert with_tags(cache, entry, ["late"]).tags == ("late",)
    assert not cache.has("Hello", voice="nova")
    assert not cache.discard_tag("late")


def test_what_it_was_made_from_is_found_by_the_tag_too(cache: MultiTierAudioCache) -> None:
    source = cache.clip("Hello", format="wav")
    made = replace(cache.clip("Hello", format="mp3"), source_key=source.key)
    cache.store(source, Recording(audio=SOUND, tags=("menu",)))
    entry = cache.store(made, Recording(audio=b"ID3", transcoded_from=source.key))
    with_tags(cache, entry, ["user:7"])
    assert held(cache, source.key).tags == ("menu", "user:7")
    assert cache.discard_tag("user:7")
    assert not cache.holds(source)
    assert not cache.holds(made)


def test_who_has_the_tags_already_writes_nothing(cache: MultiTierAudioCache) -> None:
    key = cache.put("Hello", SOUND, voice="nova", tags=["a", "b"])
    entry = held(cache, key)
    with_tags(cache, entry._replace(tags=()), ["b"])
    assert held(cache, key).created == entry.created
