"""What every tier does alike: memory, SQLite, PostgreSQL and Redis pass the same suite."""

from __future__ import annotations

import json

import pytest

from audiocache.entries import NEVER, AudioEntry
from audiocache.tiers.base import LEAVINGS, Tier
from tests.audiocache.conftest import NewTier
from tests.factories import HOUR, NOW, FakeClock, entry

WHOLE = entry(
    "Grüße aus Köln, 東京 🎧\nzweite Zeile",
    namespace="menü",
    parameters={"voice": "nova", "speed": 1.25, "raw": True, "options": {"a": [1, "ß"]}},
    source_key="ab" * 32,
    transcoded_from="ab" * 32,
    content_type="audio/ogg; codecs=opus",
    duration_ms=2100,
    cost=1234,
    billed_units=42,
    timings=json.dumps([[0, 5, 120]]),
    tags=("greeting", "größe", "日本"),
    stale=HOUR,
    audio=bytes(range(256)) * 20,
)
BARE = entry("Hello", ttl=0, text=None, content_type="", audio=b"")


def held(tier: Tier, *entries: AudioEntry) -> list[AudioEntry | None]:
    return [tier.get(one.key) for one in entries]


def test_an_unknown_key_is_absent(any_tier: Tier) -> None:
    assert any_tier.get("00" * 32) is None
    assert any_tier.get_many(["00" * 32, "11" * 32]) == {}
    assert any_tier.get_many([]) == {}


@pytest.mark.parametrize("whole", [WHOLE, BARE], ids=["everything", "next to nothing"])
def test_every_field_survives_the_round_trip(any_tier: Tier, whole: AudioEntry) -> None:
    assert any_tier.put_many([whole]) == {whole.key}
    assert any_tier.get(whole.key) == whole._replace(tier=any_tier.name)
    assert any_tier.get_many([whole.key]) == {whole.key: whole._replace(tier=any_tier.name)}


def test_what_comes_back_is_bytes_and_tags_are_a_tuple(any_tier: Tier) -> None:
    any_tier.put_many([WHOLE])
    found = any_tier.get(WHOLE.key)
    assert found is not None
    assert type(found.audio) is bytes
    assert type(found.tags) is tuple


def test_a_second_put_replaces_the_first(any_tier: Tier) -> None:
    first = entry("a", audio=b"first")
    any_tier.put_many([first])
    second = first._replace(
        audio=b"second sound", expires=NOW + 2 * HOUR, keep_until=NOW + HOUR * 2
    )
    assert any_tier.put_many([second]) == {first.key}
    assert any_tier.get(first.key) == second._replace(tier=any_tier.name)


def test_of_duplicate_keys_in_one_put_the_last_stays(any_tier: Tier) -> None:
    first, second = entry("a", audio=b"first"), entry("a", audio=b"second")
    assert any_tier.put_many([first, second]) == {first.key}
    assert held(any_tier, first) == [second._replace(tier=any_tier.name)]


def test_many_are_put_found_and_removed_in_batches(any_tier: Tier) -> None:
    entries = [entry(f"{number}") for number in range(250)]
    keys = [one.key for one in entries]
    assert any_tier.put_many(entries) == set(keys)
    assert any_tier.get_many(keys) == {e.key: e._replace(tier=any_tier.name) for e in entries}
    assert any_tier.has_many(keys, NOW) == set(keys)
    assert any_tier.remove_many(keys[:240]) == 240
    assert set(any_tier.get_many(keys)) == set(keys[240:])


def test_nothing_is_put_found_or_removed_for_nothing(any_tier: Tier) -> None:
    assert any_tier.put_many([]) == set()
    assert any_tier.has_many([], NOW) == set()
    assert any_tier.remove_many([]) == 0


def test_a_back_fill_takes_what_is_missing_and_replaces_nothing(any_tier: Tier) -> None:
    there, missing = entry("there", audio=b"old"), entry("missing")
    any_tier.put_many([there])
    filled = any_tier.put_many([there._replace(audio=b"new"), missing], only_missing=True)
    assert filled == {missing.key}
    assert held(any_tier, there, missing) == [
        there._replace(tier=any_tier.name),
        missing._replace(tier=any_tier.name),
    ]


def test_a_back_fill_never_changes_the_instants(any_tier: Tier, clock: FakeClock) -> None:
    made = entry("a", ttl=3000, stale=500)
    clock.now += 2500
    any_tier.put_many([made], only_missing=True)
    found = any_tier.get(made.key)
    assert found is not None
    assert (found.created, found.expires, found.keep_until) == (NOW, NOW + 3000, NOW + 3500)
    clock.now = NOW + 3500
    assert any_tier.get(made.key) is None


def test_an_entry_is_gone_at_the_exact_millisecond(any_tier: Tier, clock: FakeClock) -> None:
    made = entry("a", ttl=1000)
    any_tier.put_many([made])
    clock.now += 999
    assert any_tier.get(made.key) is not None
    assert any_tier.has_many([made.key], clock.now) == {made.key}
    clock.now += 1
    assert any_tier.get(made.key) is None
    assert any_tier.has_many([made.key], clock.now) == set()


def test_a_stale_entry_is_returned_until_keep_until_and_is_not_had(
    any_tier: Tier, clock: FakeClock
) -> None:
    made = entry("a", ttl=1000, stale=5000)
    any_tier.put_many([made])
    clock.now += 1000
    assert any_tier.has_many([made.key], clock.now) == set()
    assert any_tier.get(made.key) == made._replace(tier=any_tier.name)
    clock.now = NOW + 5999
    assert any_tier.get(made.key) is not None
    clock.now = NOW + 6000
    assert any_tier.get(made.key) is None


def test_an_entry_for_ever_outlives_the_years(any_tier: Tier, clock: FakeClock) -> None:
    made = entry("a", ttl=0)
    any_tier.put_many([made])
    clock.now += 50 * 365 * 24 * HOUR
    found = any_tier.get(made.key)
    assert found is not None
    assert found.expires == found.keep_until == NEVER
    assert any_tier.has_many([made.key], clock.now) == {made.key}


def test_what_has_expired_already_is_not_found(any_tier: Tier, clock: FakeClock) -> None:
    made = entry("a", ttl=1000)
    clock.now += 1000
    any_tier.put_many([made])
    assert any_tier.get(made.key) is None


def test_removing_tells_how_many_were_there(any_tier: Tier) -> None:
    entries = [entry("a"), entry("b"), entry("c")]
    any_tier.put_many(entries)
    assert any_tier.remove_many([entries[0].key, entries[1].key, "00" * 32]) == 2
    assert any_tier.remove_many([entries[0].key]) == 0
    assert held(any_tier, *entries) == [None, None, entries[2]._replace(tier=any_tier.name)]


def test_a_text_is_removed_in_all_its_variants_of_a_namespace(any_tier: Tier) -> None:
    spoken = [entry("a"), entry("a", parameters={"voice": "nova"})]
    elsewhere = entry("a", parameters={"voice": "nova"}, namespace="n")
    other = entry("b", parameters={"voice": "nova"})
    any_tier.put_many([*spoken, elsewhere, other])
    assert any_tier.remove_group("text_digest", spoken[0].text_digest) == 2
    assert held(any_tier, *spoken) == [None, None]
    assert any_tier.get(other.key) is not None
    assert any_tier.remove_group("text_digest", elsewhere.text_digest, "n") == 1
    assert any_tier.get(elsewhere.key) is None


def test_a_source_is_removed_with_its_renditions(any_tier: Tier) -> None:
    source = entry("a", parameters={"voice": "nova"})
    wav = entry("a", parameters={"voice": "nova", "format": "wav"}, source_key=source.key)
    other = entry("a", parameters={"voice": "echo"})
    any_tier.put_many([source, wav, other])
    assert any_tier.remove_group("source_key", source.key) == 2
    assert held(any_tier, source, wav) == [None, None]
    assert any_tier.get(other.key) is not None


def test_a_tag_is_removed_with_its_entries(any_tier: Tier) -> None:
    first, second = entry("a", tags=("Größe", "x")), entry("b", tags=("Größe",))
    other = entry("c", tags=("größe", "x"))
    any_tier.put_many([first, second, other])
    assert any_tier.remove_group("tags", "Größe") == 2
    assert held(any_tier, first, second) == [None, None]
    assert any_tier.get(other.key) is not None
    assert any_tier.remove_group("tags", "Größe") == 0


def test_a_group_of_hundreds_is_removed_whole(any_tier: Tier) -> None:
    entries = [entry(f"{number}", tags=("t",)) for number in range(210)]
    any_tier.put_many(entries)
    assert any_tier.remove_group("tags", "t") == 210
    assert any_tier.get_many([one.key for one in entries]) == {}


def test_a_text_spoken_in_no_variant_is_a_group_of_its_own(any_tier: Tier) -> None:
    bare = entry("a")
    any_tier.put_many([bare])
    assert any_tier.remove_group("text_digest", bare.text_digest) == 1
    assert any_tier.remove_group("source_key", bare.key) == 0


def test_clear_leaves_nothing_and_what_comes_after_stays(any_tier: Tier) -> None:
    entries = [entry(f"{number}", tags=("t",)) for number in range(130)]
    any_tier.put_many(entries)
    any_tier.clear()
    assert any_tier.get_many([one.key for one in entries]) == {}
    assert any_tier.has_many([one.key for one in entries], NOW) == set()
    any_tier.put_many(entries[:1])
    assert held(any_tier, *entries[:2]) == [entries[0]._replace(tier=any_tier.name), None]


def test_clear_makes_room_for_a_back_fill(any_tier: Tier) -> None:
    made = entry("a")
    any_tier.put_many([made])
    any_tier.clear()
    assert any_tier.get(made.key) is None
    assert any_tier.put_many([made], only_missing=True) == {made.key}
    assert any_tier.get(made.key) is not None


def test_cleanup_removes_what_is_past_its_time_and_counts_it(
    any_tier: Tier, clock: FakeClock
) -> None:
    dead = [entry(f"{number}", ttl=1000) for number in range(120)]
    stale, live = entry("stale", ttl=1000, stale=HOUR), entry("live")
    any_tier.put_many([*dead, stale, live])
    clock.now += 1000
    by_itself = any_tier.name == "distributed"
    assert any_tier.cleanup() == (0 if by_itself else 120)
    assert any_tier.counts["expired"] == (0 if by_itself else 120)
    assert any_tier.cleanup() == 0
    assert None not in held(any_tier, stale, live)


def test_an_entry_over_the_limit_is_left_out_and_counted(new_tier: NewTier, tier_kind: str) -> None:
    tier = new_tier(tier_kind, max_bytes=100)
    fits, too_big = entry("a", audio=bytes(100)), entry("b", audio=bytes(101))
    assert tier.put_many([too_big, fits]) == {fits.key}
    assert tier.get(too_big.key) is None
    assert tier.get(fits.key) is not None
    assert tier.counts["oversize"] == 1


def test_a_replacement_over_the_limit_leaves_no_older_sound(
    new_tier: NewTier, tier_kind: str
) -> None:
    tier = new_tier(tier_kind, max_bytes=100)
    old = entry("a", audio=bytes(100))
    tier.put_many([old])
    assert tier.put_many([old._replace(audio=bytes(101))]) == set()
    assert tier.get(old.key) is None


def test_a_back_fill_over_the_limit_changes_nothing(new_tier: NewTier, tier_kind: str) -> None:
    tier = new_tier(tier_kind, max_bytes=100)
    old = entry("a", audio=bytes(100))
    tier.put_many([old])
    assert tier.put_many([old._replace(audio=bytes(101))], only_missing=True) == set()
    assert tier.get(old.key) is not None


def test_statistics_have_their_shape_and_count_what_is_there(
    any_tier: Tier, tier_kind: str
) -> None:
    any_tier.put_many([entry("a", audio=bytes(10)), entry("b", audio=bytes(20))])
    any_tier.put_many([entry("b", audio=bytes(30))])
    stats = any_tier.stats()
    assert stats["backend_type"] == tier_kind
    counted = (None, None) if tier_kind == "redis" else (2, 40)
    assert (stats["entry_count"], stats["total_size_bytes"]) == counted


def test_what_is_known_without_an_answer_is_part_of_the_statistics(any_tier: Tier) -> None:
    stats, unknown = any_tier.stats(), any_tier.unknown_stats()
    assert set(unknown) <= set(stats)
    assert unknown["backend_type"] == stats["backend_type"]
    assert all(value in (None, stats[name]) for name, value in unknown.items())


def test_a_tier_that_works_says_so(any_tier: Tier) -> None:
    any_tier.check()
    assert any_tier.counts == dict.fromkeys(LEAVINGS, 0)


def test_hits_may_be_told_to_any_tier(any_tier: Tier) -> None:
    made = entry("a")
    any_tier.put_many([made])
    any_tier.touched({made.key: 2, "00" * 32: 1}, NOW + 5)
    assert any_tier.get(made.key) == made._replace(tier=any_tier.name)


def test_only_a_tier_that_keeps_counts_takes_them(any_tier: Tier) -> None:
    assert any_tier.add_counts({"memory.hits": 2}, NOW) is any_tier.keeps_counts
    any_tier.add_counts({"memory.hits": 3, "created": 1}, NOW + HOUR)
    kept = {"memory.hits": 5, "created": 1} if any_tier.keeps_counts else {}
    assert any_tier.read_counts() == kept


def test_of_duplicate_keys_a_last_one_over_the_limit_leaves_nothing(
    new_tier: NewTier, tier_kind: str
) -> None:
    tier = new_tier(tier_kind, max_bytes=100)
    first, last = entry("a", audio=bytes(100)), entry("a", audio=bytes(101))
    assert tier.put_many([first, last]) == set()
    assert tier.get(first.key) is None
