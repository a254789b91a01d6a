"""One of several processes that speak as fast as a provider lets them: `limited.py SETTINGS`.

SETTINGS is JSON: databases, cache (settings.AUDIOCACHE), tts (settings.TTS), phrases, threads.
Waits for a line, and prints `clips N calls...`, or each error.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import django
from django.conf import settings

order = json.loads(sys.argv[1])
settings.configure(
    SECRET_KEY="only for tests",
    DATABASES=order["databases"],
    INSTALLED_APPS=["audiocache", "tts"],
    AUDIOCACHE=order["cache"],
    TTS=order["tts"],
    LOGGING_CONFIG=None,
)
django.setup()

from tts import TTSError, get_tts_service


def speak(text: str) -> int:
    try:
        return bool(get_tts_service().synthesize_text_sync(text))
    except TTSError as error:
        print(repr(error))
        return 0


def main() -> None:
    get_tts_service().cache.has("ready?")  # connections and files are there
    print("ready", flush=True)
    sys.stdin.readline()  # all processes begin at once
    with ThreadPoolExecutor(order["threads"]) as pool:
        print("clips", sum(pool.map(speak, order["phrases"])), flush=True)
    get_tts_service().cache.close()


if __name__ == "__main__":
    main()
