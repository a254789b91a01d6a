"""M5 and M6: from a text to its clip, and to its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import Any, Final

from audiocache.cache import MultiTierAudioCache
from audiocache.keys import clip_of
from benchmarks.cases import Case, Loop
from benchmarks.clips import VARIANT, Clips, K
from benchmarks.rows.memory import LockedTtl, locmem
from benchmarks.stage import Stage

LENGTHS: Final = (60, 2000)
TEXTS: Final = 100
"""What memory holds by default."""


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """On a cache of memory and SQLite, with statistics, as it is by default."""
    with closing(MultiTierAudioCache(stage.config())) as cache:
        made: list[Case] = []
        for characters in LENGTHS:
            clips = Clips(TEXTS, 48 * K, characters=characters)
            made += [_look_up(clips, cache), _public(clips, cache), _key(clips)]
        yield made


def _plain_key(text: str, variant: dict[str, str]) -> str:
    asked = json.dumps({"text": text, **variant}, sort_keys=True)
    return sha256(asked.encode()).hexdigest()


def _length(clips: Clips) -> str:
    return f"{len(clips.texts[0])} characters"


def _look_up(clips: Clips, cache: MultiTierAudioCache) -> Case:
    asked = _texts(clips)
    known = dict(zip(clips.texts, clips.clips, strict=True))
    return Case(
        "M5",
        f"text and variant to clip, {_length(clips)}",
        _limit(clips),
        Loop(
            "ours",
            lambda text: cache.clip(text, voice="nova", model="m2"),
            asked,
            lambda t, clip: clip == known[t],
        ),
        12,
    )


def _public(clips: Clips, cache: MultiTierAudioCache) -> Case:
    asked = _texts(clips)
    ttl, django = LockedTtl(TEXTS), locmem(TEXTS)
    for text, sound in clips.by_text.items():
        ttl.put(_plain_key(text, VARIANT), sound)
        django.set(_plain_key(text, VARIANT), sound)

    def warm() -> None:
        """What was replaced a moment ago may be dropped once more: all of it into memory."""
        for text in clips.texts:
            cache.get(text, **VARIANT)

    def through(get: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda text: get(_plain_key(text, VARIANT))

    for text, sound in clips.by_text.items():
        cache.put(text, sound, **VARIANT)
    return Case(
        "M5",
        f"cache.get(text, voice=, model=), memory hit, {_length(clips)}, 48 KiB",
        _limit(clips),
        Loop(
            "ours",
            lambda text: cache.get(text, voice="nova", model="m2"),
            asked,
            clips.is_spoken,
            before=warm,
        ),
        40,
        peers=[
            Loop("json + sha256 + TTLCache + lock", through(ttl.get), asked, clips.is_spoken),
            Loop(
                "json + sha256 + LocMemCache",
                through(django.get),
                asked,
                clips.is_spoken,
                brings=clips.size,
            ),
        ],
    )


def _key(clips: Clips) -> Case:
    asked = _texts(clips)
    known = dict(zip(clips.texts, clips.keys, strict=True))
    return Case(
        "M6",
        f"text and variant to key, unknown before, {_length(clips)}",
        Loop(
            "sha256",
            lambda text: sha256(text.encode()).hexdigest(),
            asked,
            lambda _, digest: len(digest) == 64,
        ),
        Loop(
            "ours",
            lambda text: clip_of(text, VARIANT).key,
            asked,
            lambda text, key: key == known[text],
        ),
        1.5,
        peers=[
            Loop(
                "json + sha256",
                lambda text: _plain_key(text, VARIANT),
                asked,
                lambda _, digest: len(digest) == 64,
            )
        ],
    )


def _texts(clips: Clips) -> list[str]:
    return clips.asked(clips.texts)


def _limit(clips: Clips) -> Loop:
    return Loop("dict.get(text)", dict(clips.by_text).get, _texts(clips), clips.is_spoken)
