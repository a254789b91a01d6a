"""Large clips in a bucket: another name, no folders, errors of its own, and now and then none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from audiocache.models import AudioCacheEntry
from audiocache.tiers.clip_files import ClipFiles
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ALIASES, NewTier
from tests.audiocache.tiers.bucket import Bucket, BucketStorage, bucket_server
from tests.factories import NOW, entry
from tests.tts.vendors.server import Reply, Server

LARGE = entry("large", audio=b"RIFF" + bytes(5000), tags=("t",))
OTHER = entry("other", audio=b"RIFF" + bytes(6000))


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def server(bucket: Bucket) -> Iterator[Server]:
    with bucket_server(bucket) as server:
        yield server


@pytest.fixture
def tier(server: Server, settings: Any, new_tier: NewTier, sql_kind: str) -> PersistentTier:
    backend = f"{BucketStorage.__module__}.{BucketStorage.__qualname__}"
    options = {"OPTIONS": {"location": server.url}}
    settings.STORAGES = settings.STORAGES | {"clips": {"BACKEND": backend} | options}
    made: PersistentTier = new_tier(sql_kind, files=ClipFiles(ALIASES[sql_kind], "clips", 1000))
    return made


def sounds(tier: PersistentTier, bucket: Bucket) -> set[str]:
    tier.clips.files.finish()
    return {name for name in bucket.objects if name.endswith(".wav")}


def named(tier: PersistentTier) -> set[str]:
    rows = AudioCacheEntry.objects.using(ALIASES[tier.vendor])
    return set(rows.exclude(storage_name="").values_list("storage_name", flat=True))


def test_a_clip_is_found_under_the_name_that_it_got_and_goes_with_its_row(
    tier: PersistentTier, bucket: Bucket
) -> None:
    tier.put_many([LARGE, OTHER])
    assert sounds(tier, bucket) == named(tier)
    assert all(name.endswith("_k3.wav") for name in named(tier))
    assert tier.get_many([LARGE.key])[LARGE.key].audio == LARGE.audio
    tier.put_many([LARGE._replace(created=NOW + 1, audio=b"RIFF" + bytes(7000))])
    assert sounds(tier, bucket) == named(tier)
    assert tier.remove_group("tags", "t") == 1
    assert len(sounds(tier, bucket)) == 1


def test_what_is_gone_from_it_is_a_miss_and_no_trouble(
    tier: PersistentTier, bucket: Bucket
) -> None:
    tier.put_many([LARGE, OTHER])
    [name] = [name for name in named(tier) if LARGE.key in name]
    del bucket.objects[name]
    assert set(tier.get_many([LARGE.key, OTHER.key])) == {OTHER.key}
    assert len(named(tier)) == 1
    assert tier.put_many([LARGE._replace(created=NOW + 1)]) == {LARGE.key}
    assert len(named(tier)) == 2, "the bucket is used on"


def test_an_orphan_goes_and_one_that_goes_meanwhile_is_no_trouble(
    tier: PersistentTier, bucket: Bucket, server: Server
) -> None:
    tier.put_many([LARGE])
    [name] = named(tier)
    orphans = [name.replace(LARGE.key, digit * 64) for digit in "01"]
    for orphan in orphans:
        bucket.objects[orphan] = b"x", 0.0
    assert set(tier.clips.without_row()) == set(orphans)

    def deleted_meanwhile(line: Any, heard: Any) -> bool:
        bucket.objects.pop(orphans[0])
        return bucket.answer(line, heard)

    answers = [bucket.answer] * _asked_before_the_first_age(tier, server)
    server.next.extend([*answers, deleted_meanwhile])
    assert tier.clips.sweep() == 1
    assert sounds(tier, bucket) == {name}


def _asked_before_the_first_age(tier: PersistentTier, server: Server) -> int:
    """How often the bucket is asked until it is asked how old an orphan is."""
    before = len(server.heard)
    list(tier.clips.without_row())
    asked = [heard.path for heard in server.heard[before:]]
    return next(place for place, path in enumerate(asked) if path.endswith(".wav"))


def test_errors_cost_no_row_and_what_comes_meanwhile_lies_in_the_table(
    tier: PersistentTier, bucket: Bucket, server: Server
) -> None:
    tier.put_many([LARGE])
    server.behave = Reply(503)
    assert tier.get_many([LARGE.key]) == {}
    assert len(named(tier)) == 1
    assert tier.put_many([OTHER]) == {OTHER.key}
    assert tier.get_many([OTHER.key])[OTHER.key].audio == OTHER.audio
    assert tier.clips.sweep() == 0
    server.behave = bucket.answer
    assert len(sounds(tier, bucket)) == 1
