"""Eight threads of one process use a new folder for the first time: `first_use.py FOLDER`.

Prints a line for each error, and `stored N` at the end.
"""

from __future__ import annotations

import sys
import threading

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["audiocache"],
    LOGGING_CONFIG=None,
)
django.setup()

from audiocache import CacheConfig, MultiTierAudioCache

THREADS = 8


def main() -> None:
    cache = MultiTierAudioCache(CacheConfig(persistent_path=sys.argv[1]))
    together = threading.Barrier(THREADS)

    def use(number: int) -> None:
        together.wait()
        try:
            cache.put(f"phrase {number}", b"sound" * 100)
            assert cache.tiers["persistent"].get(cache.clip(f"phrase {number}").key) is not None
        except BaseException as error:
            print(repr(error))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(THREADS)]
    sys.stdin.readline()  # all processes begin at once
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = cache.get_comprehensive_stats()["performance"]["errors"]
    print(*(f"{number} errors in {tier}" for tier, number in errors.items() if number), end="")
    print("stored", cache.tiers["persistent"].stats()["entry_count"])
    cache.close()


if __name__ == "__main__":
    main()
