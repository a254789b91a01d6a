"""What is built at its first use: once, by however many threads, and in forked children too."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audiocache import MultiTierAudioCache
from tests.tts.doubles import StubProvider
from tts.breaker import breaker_of
from tts.building import built
from tts.conf import TTSConfig
from tts.service import TTSService

ROOT = Path(__file__).parents[2]

FORKED_IN_THE_MIDDLE = """
import os, signal, threading
from django.conf import settings
settings.configure()
from tts.conf import TTSConfig
from tts.providers.tone import ToneProvider
from tts.service import TTSService

building, go_on = threading.Event(), threading.Event()

class Slow(ToneProvider):
    def __init__(self, config):
        super().__init__(config)
        building.set()
        go_on.wait()

signal.alarm(20)
config = TTSConfig(provider="__main__.Slow")
one, other = TTSService(config), TTSService(config)
builder = threading.Thread(target=lambda: one.provider)
builder.start()
building.wait()
child = os.fork()
if child == 0:
    signal.alarm(10)
    go_on.set()
    os._exit(0 if one.provider and other.provider else 1)
status = os.waitpid(child, 0)[1]
go_on.set()
builder.join()
assert status == 0, status
"""


class Thing:
    """Has a part that is built slowly, or not at all."""

    def __init__(self) -> None:
        self.begun = 0
        self.fails = False

    @built
    def part(self) -> object:
        """Of it."""
        self.begun += 1
        threading.Event().wait(0.05)
        if self.fails:
            raise ValueError("not now")
        return object()


def test_all_who_ask_at_once_get_the_same_one() -> None:
    thing = Thing()
    with ThreadPoolExecutor(8) as pool:
        parts = [*pool.map(lambda _: thing.part, range(8))]
    assert (len(set(map(id, parts))), thing.begun) == (1, 1)
    assert thing.__dict__["part"] is parts[0]
    assert Thing().part is not parts[0]
    assert Thing.part.__doc__ == "Of it."


def test_what_fails_is_built_anew() -> None:
    thing = Thing()
    thing.fails = True
    with pytest.raises(ValueError, match="not now"):
        _ = thing.part
    thing.fails = False
    assert thing.part is thing.part
    assert thing.begun == 2


def test_a_fork_while_a_service_is_built_hangs_no_child() -> None:
    subprocess.run([sys.executable, "-c", FORKED_IN_THE_MIDDLE], cwd=ROOT, check=True, timeout=40)


def test_the_breaker_that_is_looked_at_is_that_of_the_provider_that_is_called(
    cache: MultiTierAudioCache,
) -> None:
    service = TTSService(TTSConfig(provider=f"{SlowlyBuilt.__module__}.SlowlyBuilt"), cache=cache)
    with ThreadPoolExecutor(2) as pool:
        outages = pool.submit(lambda: service.outages)
        assert SlowlyBuilt.building.wait(20)
        provider = pool.submit(lambda: service.provider)
        assert outages.result().breaker is breaker_of(provider.result())


class SlowlyBuilt(StubProvider):
    """Another thread asks for it meanwhile."""

    building = threading.Event()

    def __init__(self, config: TTSConfig) -> None:
        super().__init__(config)
        self.building.set()
        threading.Event().wait(0.1)
