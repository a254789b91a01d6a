"""R1 to R3: the Redis tier, against RESP on one socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import redis
from django_redis.cache import RedisCache

from audiocache.conf import CacheConfig
from audiocache.tiers.distributed import DistributedTier
from benchmarks.cases import COMMIT, Case, Loop
from benchmarks.clips import Clips, K
from benchmarks.stage import Stage

SIZES: Final = {4: 200, 48: 200, 480: 32}
AT_ONCE: Final = 50
SECONDS: Final = 86_400


class Resp:
    """Redis' protocol, on one socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb", 2**18)

    def get(self, key: str) -> bytes | None:
        """GET."""
        self._send(b"GET", key.encode())
        return self._bulk()

    def set(self, key: str, sound: bytes) -> None:
        """SET with an expiry."""
        self._send(b"SET", key.encode(), sound, b"EX", str(SECONDS).encode())
        self._reader.readline()

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """MGET."""
        self._send(b"MGET", *(key.encode() for key in keys))
        self._reader.readline()
        return {key: self._bulk() for key in keys}

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._socket.close()

    def _send(self, *words: bytes) -> None:
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
        self._socket.sendall(b"".join(parts))

    def _bulk(self) -> bytes | None:
        length = int(self._reader.readline()[1:])
        return None if length < 0 else self._reader.read(length + 2)[:-2]


class Room:
    """Clips of one size in Redis, ours and the plain ones."""

    def __init__(self, stage: Stage, stack: ExitStack, clips: Clips) -> None:
        self.clips = clips
        self.resp = stack.enter_context(closing(Resp(stage.redis_url)))
        self.py: Any = stack.enter_context(closing(redis.Redis.from_url(stage.redis_url)))
        # Its fastest: bytes as they are.
        self.django: Any = RedisCache(
            stage.redis_url,
            {"OPTIONS": {"SERIALIZER": "benchmarks.rows.redis.AsTheyAre"}},
        )
        self.ours = DistributedTier.from_config(CacheConfig(redis_url=stage.redis_url))
        stack.enter_context(closing(self.ours))
        for key, sound in clips.sounds.items():
            self.resp.set(key, sound)
            self.django.set(key, sound, SECONDS)
        self.ours.put_many(list(clips.entries.values()))

    def put(self, key: str) -> None:
        """Into ours."""
        self.ours.put_many([self.clips.entries[key]])

    def read(self, key: str) -> bytes | None:
        """From ours."""
        entry = self.ours.get(key)
        return None if entry is None else entry.audio


class AsTheyAre:
    """A serializer of django-redis' that leaves bytes alone."""

    def __init__(self, options: object) -> None:
        """Nothing can be set."""

    def dumps(self, value: bytes) -> bytes:
        """Out."""
        return value

    def loads(self, value: bytes) -> bytes:
        """In."""
        return value


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """At three sizes."""
    with ExitStack() as stack:
        rooms = [Room(stage, stack, Clips(n, kib * K)) for kib, n in SIZES.items()]
        yield [*map(_hit, rooms), *map(_put, rooms[:2]), _many(rooms[0])]


def _hit(room: Room) -> Case:
    clips = room.clips
    asked = clips.asked()

    def loop(name: str, get: Callable[[str], Any]) -> Loop:
        check = clips.is_entry if name == "ours" else clips.is_sound
        return Loop(name, get, asked, check, brings=clips.size)

    return Case(
        "R1",
        f"Redis hit, {clips.name}",
        loop("RESP", room.resp.get),
        loop("ours", room.ours.get),
        1.5,
        peers=[loop("redis-py", room.py.get), loop("django-redis", room.django.get)],
    )


def _put(room: Room) -> Case:
    clips = room.clips

    def loop(name: str, put: Callable[[str], Any], get: Callable[[str], Any]) -> Loop:
        return Loop(name, put, clips.keys, lambda key, _: clips.is_sound(key, get(key)))

    def through(store: Any, **how: int) -> Callable[[str], Any]:
        return lambda key: store.set(key, clips.sounds[key], **how)

    return Case(
        "R2",
        f"Redis put, {clips.name}",
        loop("RESP", through(room.resp), room.resp.get),
        loop("ours", room.put, room.read),
        1.3,
        peers=[
            loop("redis-py", through(room.py, ex=SECONDS), room.py.get),
            loop("django-redis", through(room.django, timeout=SECONDS), room.django.get),
        ],
        allowance=COMMIT,
    )


def _many(room: Room) -> Case:
    clips = room.clips
    asked = [clips.keys[at : at + AT_ONCE] for at in range(0, len(clips.keys), AT_ONCE)]

    def all_there(keys: Sequence[str], found: dict[str, Any]) -> bool:
        sounds = ((key, getattr(found.get(key), "audio", found.get(key))) for key in keys)
        return all(clips.is_sound(*one) for one in sounds)

    def loop(name: str, get: Callable[[Sequence[str]], Any]) -> Loop:
        return Loop(name, get, asked, all_there, brings=AT_ONCE * clips.size, each=AT_ONCE)

    return Case(
        "R3",
        f"Redis, {AT_ONCE} keys of {clips.name} at once, a key",
        loop("MGET", room.resp.get_many),
        loop("ours", room.ours.get_many),
        1.25,
        peers=[loop("django-redis get_many", room.django.get_many)],
    )
