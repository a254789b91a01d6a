"""A process of a site that speaks, started by exec: `speaker.py SETTINGS`.

Reads an order a line, as JSON, and answers each with a line of JSON:
  {"speak": [texts], "threads": n, "at": instant}   each of n threads asks for all texts
  {"speak": [texts], "tasks": n, "at": instant}     the same from asyncio tasks
  {"put": seconds, "threads": n}                    replaces other clips meanwhile; answers at once
  "audio_format": name                              of these: in another format than the site's
Instants are seconds of the monotonic clock, which all processes of a host share.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from typing import Any

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["audiocache", "tts"],
    USE_TZ=True,
    LOGGING_CONFIG=None,
    **json.loads(sys.argv[1]),
)
django.setup()

from django.db import connections

from audiocache import get_audio_cache
from tts import get_tts_service


class Seen:
    """What the callers got, all together."""

    def __init__(self) -> None:
        self.sounds: dict[str, set[str]] = {}
        self.errors: Counter[str] = Counter()
        self.ended = 0.0
        self.most_threads = 0

    def sound(self, text: str, audio: bytes) -> None:
        self.sounds.setdefault(text, set()).add(hashlib.sha256(audio).hexdigest())

    def end(self) -> None:
        self.ended = max(self.ended, time.monotonic())
        self.most_threads = max(self.most_threads, threading.active_count())

    def told(self) -> dict[str, Any]:
        sounds = {text: sorted(found) for text, found in self.sounds.items()}
        return {
            "sounds": sounds,
            "errors": self.errors,
            "ended": self.ended,
            "threads": self.most_threads,
        }


def speak_in_threads(
    texts: list[str], number: int, at: float, audio_format: str | None = None
) -> Seen:
    seen, all_ended = Seen(), threading.Barrier(number)

    def ask(place: int) -> None:
        get_audio_cache().has("anything")  # a server's threads have their connections
        time.sleep(max(0.0, at - time.monotonic()))
        for text in texts[place % len(texts) :] + texts[: place % len(texts)]:
            try:
                service = get_tts_service()
                seen.sound(text, service.synthesize_text_sync(text, audio_format=audio_format))
            except Exception as error:
                seen.errors[f"{type(error).__name__} {getattr(error, 'status', '')}"] += 1
        seen.end()
        all_ended.wait()  # what a server's threads do not do now is not to hold up the others
        connections.close_all()

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


async def speak_in_tasks(texts: list[str], number: int, at: float) -> Seen:
    seen = Seen()

    async def ask(text: str) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        try:
            seen.sound(text, await get_tts_service().synthesize_text(text))
        except Exception as error:
            seen.errors[f"{type(error).__name__} {getattr(error, 'status', '')}"] += 1
        seen.end()

    await asyncio.gather(*(ask(text) for text in texts for _ in range(number)))
    return seen


def put_for(seconds: float) -> None:
    """A few clips over and over, the same as others do: each stands in the removal log."""
    end, cache = time.monotonic() + seconds, get_audio_cache()
    while time.monotonic() < end:
        cache.put(f"Clip {random.randrange(100)}", os.urandom(8000))
    connections.close_all()


def obey(order: dict[str, Any]) -> dict[str, Any]:
    at = order.get("at", 0.0)
    if "put" in order:
        for _ in range(order.get("threads", 1)):
            threading.Thread(target=put_for, args=(order["put"],), daemon=True).start()
        return {}
    if "tasks" in order:
        return asyncio.run(speak_in_tasks(order["speak"], order["tasks"], at)).told()
    audio_format = order.get("audio_format")
    return speak_in_threads(order["speak"], order["threads"], at, audio_format).told()


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)
        get_audio_cache().close()  # its threads' connections: PostgreSQL has so many and no more
