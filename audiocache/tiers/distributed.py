"""The distributed tier: envelopes in Redis, shared by all hosts.

Keys, below the configured prefix:
    entry:<key>             an envelope, expiring at `keep_until` (30 days for those without end)
    generation              a number; entries stamped with another one do not exist: `clear`
    group:<field>:<digest>  the keys of the entries of a text, a source or a tag
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final, Self

from audiocache import codec
from audiocache.clock import Clock, now_ms
from audiocache.conf import DISTRIBUTED, KIB, CacheConfig
from audiocache.entries import NEVER, AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema, TierError
from audiocache.tiers.base import Tier
from audiocache.tiers.redis_connection import RedisConnection, connect

LONGEST_MS: Final = 30 * 24 * 3_600_000
"""Redis keeps an entry without end for this long."""
GENERATION_SECONDS: Final = 1.0
"""How old our knowledge of the generation may be when we put."""


class DistributedTier(Tier):
    """On a Redis or Valkey server, through django-redis' connection."""

    name: ClassVar[str] = DISTRIBUTED
    shared = True

    def __init__(
        self,
        connection: RedisConnection,
        *,
        prefix: str = "audiocache",
        max_entry_bytes: int = 1024 * KIB,
        clock: Clock = now_ms,
    ) -> None:
        super().__init__()
        self._redis = connection
        self._prefix = prefix
        self.max_entry_bytes = max_entry_bytes
        self._clock = clock
        self._generation = 0
        self._generation_until = 0.0

    @classmethod
    def from_config(cls, config: CacheConfig, clock: Clock = now_ms) -> Self:
        """On the configured server. Raises ImproperlyConfigured; connects to nothing."""
        return cls(
            RedisConnection(connect(config), config.redis_max_connections),
            prefix=config.redis_prefix,
            max_entry_bytes=int(config.redis_max_entry_kb * KIB),
            clock=clock,
        )

    # Reading

    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        """The entries that are there, verified: one MGET."""
        wanted = list(keys)
        with self._redis.use() as redis:
            generation, *values = redis.mget([self._generation_key, *map(self._entry_key, wanted)])
        self._learn(generation)
        found, bad = {}, []
        for key, value in zip(wanted, values, strict=True):
            if value is None:
                continue
            try:
                entry = self._read(key, value)
            except NewerSchema:
                self.counts["newer_schema"] += 1
            except CorruptEntry:
                self.counts["corrupt"] += 1
                bad.append(key)
            else:
                # An entry of another generation goes, so that a back-fill finds room.
                found.update({key: entry} if entry else {})
                bad.extend([] if entry else [key])
        self._unlink(bad)
        return found

    def _read(self, key: str, value: bytes) -> AudioEntry | None:
        """The entry in a value; None when a clear or its end made it void."""
        entry, generation = codec.decode(value)
        if entry.key != key:
            raise CorruptEntry("the envelope is another key's")
        if generation != self._generation or entry.keep_until <= self._clock():
            return None
        return entry._replace(tier=DISTRIBUTED)

    def has_many(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are fresh at `now`; reads headers only."""
        wanted = list(keys)
        return {key for key, header in self._headers(wanted) if header.expires > now}

    def _headers(
        self, keys: Sequence[str], *, unlink: bool = False
    ) -> list[tuple[str, codec.Header]]:
        """The headers of the valid entries among keys, which may be removed on the way."""
        with self._redis.use() as redis:
            pipe = redis.pipeline(transaction=False)
            pipe.get(self._generation_key)
            for key in keys:
                pipe.getrange(self._entry_key(key), 0, codec.HEADER_BYTES - 1)
            if unlink:
                pipe.unlink(*map(self._entry_key, keys))
            generation, *heads = pipe.execute(raise_on_error=False)
        self._learn(generation)
        pairs = zip(keys, heads, strict=False)
        return [(key, head) for key, raw in pairs if (head := self._header(key, raw))]

    def _header(self, key: str, raw: object) -> codec.Header | None:
        try:
            header = codec.peek(raw) if isinstance(raw, bytes) else None
        except TierError:
            return None
        if header and header.key == key and header.generation == self._generation:
            return header if header.keep_until > self._clock() else None
        return None

    # Writing

    def put_many(self, entries: Sequence[AudioEntry], *, only_missing: bool = False) -> set[str]:
        """Store envelopes with their expiry: one pipeline."""
        latest = {entry.key: entry for entry in entries}
        fitting = [entry for entry in latest.values() if self._fits(entry)]
        if not only_missing:  # what is too large here still replaces its older sound
            self._unlink(list(latest.keys() - {entry.key for entry in fitting}))
        if not fitting:
            return set()
        generation = self._known_generation()
        with self._redis.use() as redis:
            pipe = redis.pipeline(transaction=False)
            for entry in fitting:
                pipe.set(
                    self._entry_key(entry.key),
                    codec.encode(entry, generation),
                    px=self._life(entry),
                    nx=only_missing,
                )
            self._index(pipe, fitting)
            answers = pipe.execute()
        return {entry.key for entry, ok in zip(fitting, answers, strict=False) if ok}

    def _fits(self, entry: AudioEntry) -> bool:
        if entry.size > self.max_entry_bytes:
            self.counts["oversize"] += 1
            return False
        return entry.keep_until > self._clock()

    def _life(self, entry: AudioEntry) -> int:
        return LONGEST_MS if entry.keep_until == NEVER else entry.keep_until - self._clock()

    def _index(self, pipe: Any, entries: Sequence[AudioEntry]) -> None:
        """Note the entries' groups: there is no SCAN on the way of a removal."""
        for entry in entries:
            for group in _groups(entry):
                name = self._group_key(*group)
                pipe.sadd(name, entry.key)
                # Longer than any member that was put with a usual life.
                pipe.pexpire(name, max(LONGEST_MS, self._life(entry)) + 1000)

    # Removing

    def remove_many(self, keys: Collection[str]) -> int:
        """Remove entries; how many were there."""
        return len(self._headers(list(keys), unlink=True)) if keys else 0

    def remove_group(self, field: str, value: str) -> int:
        """Remove the entries of a text, a source or a tag."""
        name = self._group_key(field, value)
        with self._redis.use() as redis:
            members = [member.decode() for member in redis.smembers(name)]
            redis.unlink(name)
        # Bare text and a paid clip are their own group and need no index.
        return self.remove_many({*members, *([] if field == "tags" else [value])})

    def clear(self) -> None:
        """Begin a new generation: what is there is void, and leaves at its own expiry."""
        with self._redis.use() as redis:
            self._learn(redis.incr(self._generation_key))

    def cleanup(self) -> int:
        """Redis expires its entries itself."""
        return 0

    def _unlink(self, keys: Sequence[str]) -> None:
        if keys:
            with self._redis.use() as redis:
                redis.unlink(*map(self._entry_key, keys))

    # Looking

    def stats(self) -> dict[str, Any]:
        """Type and limits, after the server has answered; entries are not counted: see SCAN."""
        self.check()
        return self.unknown_stats()

    def unknown_stats(self) -> dict[str, Any]:
        """Type and limits."""
        return {
            "backend_type": "redis",
            "entry_count": None,
            "total_size_bytes": None,
            "max_entry_bytes": self.max_entry_bytes,
        }

    def check(self) -> None:
        """Ask the server. Raises TierError."""
        with self._redis.use() as redis:
            redis.ping()

    def close(self) -> None:
        """Close the pool's idle connections; the next use opens new ones."""
        self._redis.close()

    # The generation

    def _known_generation(self) -> int:
        """The generation to stamp a put with.

        A clip whose making began before a clear carries the generation of before, and so
        does not come back by it: what a look-up learnt is good for a moment.
        """
        if time.monotonic() > self._generation_until:
            with self._redis.use() as redis:
                self._learn(redis.get(self._generation_key))
        return self._generation

    def _learn(self, generation: bytes | int | None) -> None:
        self._generation = int(generation or 0)
        self._generation_until = time.monotonic() + GENERATION_SECONDS

    # Names

    @cached_property
    def _generation_key(self) -> str:
        return f"{self._prefix}:generation"

    def _entry_key(self, key: str) -> str:
        return f"{self._prefix}:entry:{key}"

    def _group_key(self, field: str, value: str) -> str:
        # A tag may be a person's name: its digest stands in the key.
        digest = hashlib.sha256(value.encode()).hexdigest()[:32] if field == "tags" else value
        return f"{self._prefix}:group:{field}:{digest}"


def _groups(entry: AudioEntry) -> Iterator[tuple[str, str]]:
    """The groups by which an entry can be removed; its own key needs none."""
    for field in ("text_digest", "source_key"):
        value = getattr(entry, field)
        if value and value != entry.key:
            yield field, value
    for tag in entry.tags:
        yield "tags", tag
