"""One release at work beside another: `neighbour.py NAME OTHER`, settings in SITE.

Runs on whichever checkout is first in PYTHONPATH, so it uses public names alone that every
release has. Until a line comes on stdin it pays for phrases of its own, told of in the file
NAME.made, and asks for those in OTHER.made, which must be there. Prints what it saw, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    USE_TZ=True,
    INSTALLED_APPS=["audiocache", "tts"],
    LOGGING_CONFIG=None,
    **json.loads(os.environ["SITE"]),
)
django.setup()

import audiocache
from audiocache import get_audio_cache
from tts import get_tts_service

NAME, OTHER = sys.argv[1:]
LIVES = (None, 3600, 0.05)
"""Of clips that are put besides: what expires, the sweep of either release deletes."""


def told(name: str) -> list[str]:
    path = Path(f"{name}.made")
    return path.read_text().splitlines() if path.exists() else []


def work(round_: int, chance: random.Random) -> None:
    """One new phrase, some of the other's, a clip with and one without an end."""
    cache, service = get_audio_cache(), get_tts_service()
    text = f"Phrase {round_} of {NAME}"
    service.synthesize_text_sync(text)
    with Path(f"{NAME}.made").open("a") as file:
        file.write(f"{text}\n")
    known = told(OTHER)[-200:]
    for asked in chance.sample(known, min(5, len(known))):
        assert service.synthesize_text_sync(asked)[:4] == b"RIFF"
    cache.put(f"{NAME} {round_}", b"sound", ttl_seconds=LIVES[round_ % 3], tags=[NAME])
    cache.get_or_create("of both", lambda: b"sound")
    if round_ % 20 == 0:
        cache.cleanup_expired()
        cache.flush()
        cache.get_comprehensive_stats()


def main() -> None:
    stop = threading.Event()

    def listen() -> None:
        sys.stdin.readline()
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    cache, chance, round_ = get_audio_cache(), random.Random(NAME), 0
    while not stop.is_set():
        round_ += 1
        work(round_, chance)
        time.sleep(0.02)
    stats = cache.get_comprehensive_stats()
    lost = ("evicted", "corrupt", "refused", "newer_schema")
    losses = {name: sum(one[word] for word in lost) for name, one in stats["backends"].items()}
    del losses["memory"]
    print(
        json.dumps({
            "from": str(Path(audiocache.__file__).parents[1]),
            "rounds": round_,
            "errors": sum(stats["performance"]["errors"].values()),
            "losses": sum(losses.values()),
        })
    )  # fmt: skip
    cache.close()


if __name__ == "__main__":
    main()
