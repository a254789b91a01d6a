"""A process of a site: `host.py DATABASE_URL FOLDER REDIS_URL [SETTINGS]`, all but the folder "".

Reads commands, a JSON list a line, and answers each with a JSON line. It idles in between, as a
server does between two requests.
"""

from __future__ import annotations

import json
import sys
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

from audiocache import get_audio_cache


def answer(verb: str, *words: Any) -> Any:
    cache = get_audio_cache()
    if verb == "migrate":
        return call_command("migrate", verbosity=0)
    if verb == "get":
        audio = cache.get(words[0])
        return audio and audio.decode()
    if verb == "where":
        return [name for name, entry in cache.ladder.where(cache.clip(words[0])).items() if entry]
    if verb == "put":
        return cache.put(words[0], words[1].encode(), tags=words[2:])
    if verb == "remove":
        return cache.remove(words[0])
    if verb == "remove_tag":
        return cache.ladder.remove_group("tags", words[0])
    if verb == "available":
        return [rung.tier.name for rung in cache.ladder.rungs if rung.circuit.available]
    return getattr(cache, verb)(*words)


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
