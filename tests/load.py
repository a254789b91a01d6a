"""Many threads that use a cache at a pace, and look at every sound that they get."""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Final, Self

import pytest
from django.db import connections

from audiocache import MultiTierAudioCache

REQUESTS: Final = 1000
LENGTHS: Final = [
    pytest.param(0.8, id="short"),
    *([] if os.environ.get("SOAK") == "short" else [pytest.param(10, marks=pytest.mark.chaos)]),
]
"""How many seconds a load lasts: the test as it always runs, and as `make soak` runs it."""


def sound(text: str) -> bytes:
    """A sound that tells whose it is."""
    return text.encode() + b"|" + os.urandom(random.randrange(3000))


@dataclass
class Load:
    """`REQUESTS` requests of `threads` threads over `seconds`, while something happens."""

    cache: MultiTierAudioCache
    seconds: float
    threads: int = 8
    phrases: int = 60
    errors: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    took: dict[int, list[float]] = field(default_factory=dict)
    """Seconds of each request, by thread."""

    def __enter__(self) -> Self:
        self._running = [
            threading.Thread(target=self._work, args=(n,)) for n in range(self.threads)
        ]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._running:
            thread.join(60)

    def ask(self, text: str, chance: random.Random) -> bytes | None:
        """One request, chosen by chance; the audio it gave."""
        verb = chance.randrange(20)
        if verb < 11:
            return self.cache.get(text)
        if verb < 16:
            return self.cache.get_or_create(text, lambda: sound(text))
        if verb < 18:
            return self.cache.get_many([text, f"{text} "]).get(text)
        if verb < 19:
            self.cache.remove(text)
        else:
            self.cache.put(text, sound(text), tags=["load"])
        return None

    @property
    def fault(self) -> float:
        """Seconds for the fault in the middle: no shorter than it takes to be noticed."""
        return max(self.seconds / 3, 0.4)

    def slow(self, seconds: float) -> list[int]:
        """How many requests of each thread took longer."""
        return [sum(one > seconds for one in took) for took in self.took.values()]

    def _work(self, number: int) -> None:
        chance, took = random.Random(number), self.took.setdefault(number, [])
        each = REQUESTS // self.threads
        began = time.monotonic()
        for place in range(each):
            time.sleep(max(0.0, began + place * self.seconds / each - time.monotonic()))
            self._request(f"phrase {chance.randrange(self.phrases)}", chance, took)
        connections.close_all()

    def _request(self, text: str, chance: random.Random, took: list[float]) -> None:
        started = time.monotonic()
        try:
            audio = self.ask(text, chance)
        except BaseException as error:  # a caller sees none, of no kind
            self.errors.append(repr(error))
            return
        took.append(time.monotonic() - started)
        if audio is not None and not audio.startswith(text.encode() + b"|"):
            self.wrong.append(text)
