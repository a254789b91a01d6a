"""A process of a site: `host.py DATABASE_URL FOLDER REDIS_URL [SETTINGS]`, all but the folder "".

Reads commands, a JSON list a line, and answers each with a JSON line. It idles in between, as a
server does between two requests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from project.settings import database_url

URL, FOLDER, REDIS, MORE = sys.argv[1], Path(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])

if __name__ == "__main__":
    settings.configure(
        SECRET_KEY="only for tests",
        USE_TZ=True,
        DATABASES={"default": database_url(URL, FOLDER)},
        INSTALLED_APPS=["django.contrib.contenttypes", "audiocache"],
        AUDIOCACHE=MORE | ({"REDIS_URL": REDIS} if REDIS else {}),
        LOGGING_CONFIG=None,
    )
    django.setup()

from django.core.management import call_command

from audiocache import MultiTierAudioCache, get_audio_cache


def get(cache: MultiTierAudioCache, text: str) -> str | None:
    audio = cache.get(text)
    return None if audio is None else audio.decode()


def where(cache: MultiTierAudioCache, text: str) -> list[str]:
    return [name for name, entry in cache.ladder.where(cache.clip(text)).items() if entry]


def available(cache: MultiTierAudioCache) -> list[str]:
    return [rung.tier.name for rung in cache.ladder.rungs if rung.circuit.available]


VERBS: dict[str, Callable[..., Any]] = {
    "migrate": lambda _: call_command("migrate", verbosity=0),
    "get": get,
    "where": where,
    "put": lambda cache, text, sound, *tags: cache.put(text, sound.encode(), tags=tags),
    "remove": lambda cache, text: cache.remove(text),
    "remove_tag": lambda cache, tag: cache.ladder.remove_group("tags", tag),
    "clear": lambda cache: cache.clear(),
    "available": available,
    "is_in_use": lambda cache: cache.ladder.following.trusted,
    "heard": lambda cache: str(cache.ladder.following.listener.in_stream),
}


def answer(verb: str, *words: Any) -> Any:
    cache = get_audio_cache()
    return VERBS[verb](cache, *words) if verb in VERBS else getattr(cache, verb)(*words)


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
