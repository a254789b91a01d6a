"""Listeners who come, hang up and stay, by chance, while the provider fails by chance."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import threading
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from tests.tts.vendors import openai
from tests.tts.vendors.server import Heard, Reply, Server
from tts.conf import TTSConfig
from tts.exceptions import ProviderError
from tts.retry import without_waits
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.streaming import channels_of

SECONDS = 4 if os.environ.get("SOAK") == "short" else 60
THREADS = 8
TASKS = 40
SAMPLES = 24_000
PIECES = 8

pytestmark = pytest.mark.soak


class Provider:
    """Sends another sound at each call, so that no two can be mixed without being found out."""

    def __init__(self) -> None:
        self.sent: defaultdict[str, list[bytes]] = defaultdict(list)
        """The whole sounds by text, those that were cut too."""
        self.at_once: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._calls = 0
        self._lock = threading.Lock()

    def __call__(self, line: socket.socket, heard: Heard) -> bool:
        text = heard.json()["input"]
        with self._lock:
            self._calls += 1
            number, chance = self._calls, random.Random(self._calls)
            self.at_once[text] += 1
            if self.at_once[text] > 1:
                self.wrong.append(f"{self.at_once[text]} calls at once for {text}")
        kind = chance.choices(["good", "cut", "down", "words", "silent"], [10, 4, 2, 1, 1])[0]
        if kind in {"down", "words"}:
            self._end(text)
            reply = Reply(503) if kind == "down" else Reply(200, b'{"error": 1}' * 50)
            return reply(line, heard)
        return self._speak(line, text, number, kind, chance)

    def _speak(
        self, line: socket.socket, text: str, number: int, kind: str, chance: random.Random
    ) -> bool:
        loud = 0 if kind == "silent" else 9000
        body = array("h", [number % 30_000 if loud else 0, loud, -loud] * (SAMPLES // 3)).tobytes()
        with self._lock:
            self.sent[text].append(body)
        last = chance.randrange(PIECES) if kind == "cut" else PIECES
        size = len(body) // PIECES
        line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, last * size, size):
            time.sleep(chance.random() * 0.02)
            line.sendall(b"%x\r\n%b\r\n" % (size, body[start : start + size]))
        self._end(text)
        if last == PIECES:
            line.sendall(b"0\r\n\r\n")
        return last == PIECES

    def _end(self, text: str) -> None:
        with self._lock:
            self.at_once[text] -= 1


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def service(provider: Provider) -> Iterator[TTSService]:
    cache = MultiTierAudioCache(CacheConfig(backend="memory", memory_max_size=100_000))
    with Server(provider) as server, without_waits():
        service = TTSService(
            TTSConfig(
                provider="openai", model="tts-1", api_key=openai.KEY, base_url=f"{server.url}/v1"
            ),
            cache=cache,
        )
        yield service
        cache.close()
        service.close()


class Listeners:
    """Listen by chance, and check what they hear."""

    def __init__(self, service: TTSService, provider: Provider) -> None:
        self.service, self.provider = service, provider
        self.until = time.monotonic() + SECONDS
        self.seen: Counter[str] = Counter()

    def request(self, chance: random.Random) -> SpeechRequest:
        """One of a few texts that are new now."""
        text = f"Sentence {int(time.monotonic() * 8) * 3 + chance.randrange(3)}."
        return SpeechRequest(text, audio_format="pcm")

    def in_a_thread(self, seed: int) -> None:
        chance = random.Random(seed)
        while time.monotonic() < self.until:
            request, heard, stays = self.request(chance), bytearray(), chance.randrange(10)
            stream = self.service.stream_sync(request)
            try:
                if chance.randrange(4) == 0:
                    heard += self.service.synthesize_sync(request).audio
                else:
                    for piece in stream:
                        heard += piece
                        if len(heard) > stays * SAMPLES:
                            stream.close()
                            self.check(request.text, bytes(heard), "left")
                            break
            except ProviderError:
                self.check(request.text, bytes(heard), "failed")
            else:
                self.check(request.text, bytes(heard), "left" if stays < 2 else "ended")

    async def in_tasks(self) -> None:
        await asyncio.gather(*(self.in_a_task(number) for number in range(TASKS)))

    async def in_a_task(self, seed: int) -> None:
        chance = random.Random(-seed)
        while time.monotonic() < self.until:
            request = self.request(chance)
            heard = bytearray()
            listening = asyncio.create_task(self.listen(request, heard))
            leaves = chance.randrange(3) == 0
            await asyncio.wait([listening], timeout=chance.random() * 0.1 if leaves else None)
            if not listening.done():
                listening.cancel()
                await asyncio.wait([listening])
            how = "left" if listening.cancelled() else listening.result()
            self.check(request.text, bytes(heard), how)

    async def listen(self, request: SpeechRequest, heard: bytearray) -> str:
        try:
            async for piece in self.service.stream(request):
                heard += piece
        except ProviderError:
            return "failed"
        return "ended"

    def check(self, text: str, heard: bytes, how: str) -> None:
        self.seen[how] += 1
        with self.provider._lock:
            sent = list(self.provider.sent[text])
        good = heard in sent if how == "ended" else any(body.startswith(heard) for body in sent)
        if not good and (heard or how == "ended"):
            self.provider.wrong.append(f"{len(heard)} bytes of {text} were heard, and {how}")


def test_everybody_hears_one_sound_from_its_beginning(
    service: TTSService, provider: Provider
) -> None:
    listeners = Listeners(service, provider)
    threads = [threading.Thread(target=listeners.in_a_thread, args=(n,)) for n in range(THREADS)]
    threads.append(threading.Thread(target=asyncio.run, args=(listeners.in_tasks(),)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 60)
    service.cache.close()
    assert provider.wrong == []
    assert min(listeners.seen[how] for how in ("ended", "failed", "left")) > SECONDS
    for text, sent in provider.sent.items():
        request = service.complete(SpeechRequest(text, audio_format="pcm"))
        entry = service.cache.find(request.clip())
        assert entry is None or entry.audio in sent
    gc.collect()
    assert not channels_of(service.cache)._channels
