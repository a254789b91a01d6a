"""A writer that puts until it is killed: `putting.py NAME`, with the site's settings in SITE.

To a line on stdout for each `put VERSION TEXT TIER...` that has returned, with the tiers that took
it, and `flushed NUMBER` for the puts whose counters have been written. One write each, so that no
line is cut in two.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import sys
from collections import Counter

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    USE_TZ=True,
    INSTALLED_APPS=["audiocache"],
    LOGGING_CONFIG=None,
    **json.loads(os.environ["SITE"]),
)
django.setup()

from audiocache import MultiTierAudioCache, get_audio_cache

TEXTS = 25
FLUSH_EVERY = 5


def sound(text: str, version: int, body: bytes) -> bytes:
    """Tells whose it is, which one, and whether it is whole."""
    head = f"{text}|{version}|{hashlib.sha256(body).hexdigest()}|"
    return head.encode() + body


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def puts(cache: MultiTierAudioCache) -> Counter[str]:
    """So many each tier has taken."""
    taken = cache.recorder.performance()["puts"]
    return Counter({tier: number for tier, number in taken.items() if tier in cache.tiers})


def main(name: str) -> None:
    cache = get_audio_cache()
    chance = random.Random(name)
    for version in itertools.count(1):
        text = f"{name}-{version % TEXTS}"
        before = puts(cache)
        cache.put(text, sound(text, version, chance.randbytes(chance.randrange(1, 150_000))))
        say("put", version, text, *(puts(cache) - before))
        if version % FLUSH_EVERY == 0:
            cache.flush()
            say("flushed", version)


if __name__ == "__main__":
    main(sys.argv[1])
