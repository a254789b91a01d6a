"""A process that speaks in an outage: `outage.py FOLDER URL`, with the vendors' keys as settings.

First one caller, who stores what is there to be had, and "ready" is printed. After a line on
stdin 20 threads and 50 tasks ask for that text, and as many for one that nobody has; at the end
it prints, as JSON, how each was answered.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import django
from django.conf import settings

folder, url, key = sys.argv[1:]
settings.configure(
    SECRET_KEY="only for tests",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["audiocache", "tts"],
    LOGGING_CONFIG=None,
    AUDIOCACHE={"PERSISTENT_PATH": folder, "TTL_HOURS": 1 / 3600, "STALE_IF_ERROR_HOURS": 1},
    TTS={"PROVIDER": "elevenlabs", "API_KEY": key, "BASE_URL": url, "FALLBACKS": ["tone"]},
)
django.setup()

from tts import Speech, SpeechRequest, TTSError, get_tts_service
from tts.retry import without_waits

HAD, NEW = SpeechRequest("The ferry leaves at noon."), SpeechRequest("The ferry is late.")


def told(speech: Speech | BaseException) -> str:
    if isinstance(speech, BaseException):
        return type(speech).__name__
    return f"{speech.provider}{' stale' * speech.stale}{' fallback' * speech.fallback}"


def ask(request: SpeechRequest) -> Speech | TTSError:
    try:
        return get_tts_service().synthesize_sync(request)
    except TTSError as error:
        return error


def ask_all_at_once(request: SpeechRequest) -> list[Speech | BaseException]:
    async def ask_all() -> list[Speech | BaseException]:
        asked = (get_tts_service().synthesize(request) for _ in range(50))
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask_all())


def main() -> None:
    ask(HAD)
    print("ready", flush=True)
    sys.stdin.readline()
    answers = {}
    with without_waits(), ThreadPoolExecutor(21) as pool:
        for name, request in {"had": HAD, "new": NEW}.items():
            tasks = pool.submit(ask_all_at_once, request)
            speeches = [*pool.map(ask, [request] * 20), *tasks.result()]
            answers[name] = Counter(map(told, speeches))
    print(json.dumps(answers))
    get_tts_service().cache.close()


if __name__ == "__main__":
    main()
