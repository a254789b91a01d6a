"""The distributed tier: envelopes in Redis, shared by all hosts.

`redis_names` says what lies where, `redis_scripts` what the server decides by itself. An entry
expires at `keep_until` (30 days for those without end).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from audiocache import codec
from audiocache.clock import Clock, now_ms
from audiocache.conf import DISTRIBUTED, KIB, CacheConfig
from audiocache.entries import NEVER, AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema, TierError
from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.base import Tier
from audiocache.tiers.redis_connection import RedisConnection, connect
from audiocache.tiers.redis_generation import Generation
from audiocache.tiers.redis_leases import RedisLeases
from audiocache.tiers.redis_names import TAGS, TEXT, Names, is_key
from audiocache.tiers.redis_places import RedisPlaces

LONGEST_MS: Final = 30 * 24 * 3_600_000
"""Redis keeps an entry without end for this long."""
BATCH: Final = 100
"""Entries removed in one round trip."""
WRONG_TYPE: Final = "WRONGTYPE"


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
        self._names = Names(prefix)
        self._generation = Generation(connection, self._names.generation)
        self.leases = RedisLeases(connection, self._names)
        self.max_entry_bytes = max_entry_bytes
        self._clock = clock
        self.places = RedisPlaces(connection, self._names)

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
        """The entries that are there, verified: one round trip."""
        wanted = list(keys)
        if not wanted:
            return {}
        names = [self._names.entry(key) for key in wanted]
        with self._redis.use() as redis:
            pipe = redis.pipeline(transaction=False)
            pipe.mget([self._names.generation, *names])
            pipe.exists(*names)
            answers = pipe.execute(raise_on_error=False)
            scripts.refuse(answers)
        (generation, *values), there = answers
        held = {key: value for key, value in zip(wanted, values, strict=True) if value is not None}
        if there > len(held):
            self._remove_foreign([key for key in wanted if key not in held])
        return self._read_all(held, self._generation.learn(generation))

    def _read_all(self, values: Mapping[str, bytes], generation: int) -> dict[str, AudioEntry]:
        found, bad, now = {}, [], self._clock()
        for key, value in values.items():
            try:
                entry, stamp = _read(key, value)
            except NewerSchema:
                self.counts["newer_schema"] += 1
            except CorruptEntry:
                bad.append(key)
            else:
                if stamp == generation and entry.keep_until > now:
                    found[key] = entry
        self._remove_corrupt(bad)
        return found

    def _remove_foreign(self, keys: Sequence[str]) -> None:
        """MGET shows a list or a hash as nothing: look again, and count it as damage."""
        with self._redis.use() as redis:
            pipe = redis.pipeline(transaction=False)
            for key in keys:
                pipe.strlen(self._names.entry(key))
            answers = pipe.execute(raise_on_error=False)
            scripts.refuse(answers, but=WRONG_TYPE)
        pairs = zip(keys, answers, strict=True)
        self._remove_corrupt([key for key, size in pairs if isinstance(size, Exception)])

    def _remove_corrupt(self, keys: Sequence[str]) -> None:
        if keys:
            self.counts["corrupt"] += len(keys)
            with self._redis.use() as redis:
                redis.unlink(*map(self._names.entry, keys))

    def has_many(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are fresh at `now`; reads headers only."""
        return {header.key for header in self._headers(list(keys)) if header.expires > now}

    def _headers(
        self, keys: Sequence[str], *, unlink: bool = False, group: str = "", members: Any = ()
    ) -> list[codec.Header]:
        """The headers of the valid entries among keys, which may be removed on the way.

        Entries leave with their place in a group: neither is left without the other.
        """
        with self._redis.use() as redis:
            pipe = redis.pipeline(transaction=bool(group))
            pipe.get(self._names.generation)
            for key in keys:
                pipe.getrange(self._names.entry(key), 0, codec.HEADER_BYTES - 1)
            if unlink and keys:
                pipe.unlink(*map(self._names.entry, keys))
            if group:
                pipe.zrem(group, *members)
            answers = pipe.execute(raise_on_error=False)
            scripts.refuse(answers, but=WRONG_TYPE)
        generation, now = self._generation.learn(answers[0]), self._clock()
        headers = [_header(key, raw) for key, raw in zip(keys, answers[1:], strict=False)]
        return [h for h in headers if h and h.generation == generation and h.keep_until > now]

    # Writing

    def put_many(self, entries: Sequence[AudioEntry], *, only_missing: bool = False) -> set[str]:
        """Store envelopes with their expiry: one round trip."""
        now = self._clock()
        latest = {entry.key: entry for entry in entries}
        lives = {key: self._life(entry, now) for key, entry in latest.items()}
        # What has no life here (0) still replaces its older sound.
        wanted = [key for key in latest if lives[key] or not only_missing]
        if not wanted:
            return set()
        generation = self._generation.known()
        calls = [
            self._put_call(latest[key], lives[key], now, generation, fill=only_missing)
            for key in wanted
        ]
        with self._redis.use() as redis:
            answers = scripts.run(redis, scripts.PUT, calls)
        self.counts["newer_schema"] += answers.count(scripts.NEWER)
        pairs = zip(wanted, answers, strict=True)
        return {key for key, answer in pairs if answer == scripts.TAKEN}

    def _life(self, entry: AudioEntry, now: int) -> int:
        """For how many ms Redis is to keep it; 0: not at all."""
        if entry.size > self.max_entry_bytes:
            self.counts["oversize"] += 1
            return 0
        return LONGEST_MS if entry.keep_until == NEVER else max(0, entry.keep_until - now)

    def _put_call(
        self, entry: AudioEntry, life: int, now: int, generation: int, *, fill: bool
    ) -> scripts.Call:
        name = self._names.entry(entry.key)
        envelope = codec.encode(entry, generation) if life else codec.FIRST
        groups = self._names.groups_of(entry) if life else ()
        return scripts.put_call(name, groups, envelope, life, now, entry.key, fill=fill)

    # Removing

    def remove_many(self, keys: Collection[str]) -> int:
        """Remove entries; how many were there."""
        return sum(len(self._headers(batch, unlink=True)) for batch in _batches(list(keys)))

    def remove_group(self, field: str, value: str, namespace: str = "") -> int:
        """Remove the entries of a text in a namespace, of a source or of a tag."""
        # Bare text and a paid clip are their own group and need no index.
        itself = field != TAGS and not (field == TEXT and namespace)
        group, removed = self._names.group(field, value, namespace), 0
        while members := self._members(group):
            keys = [member.decode() for member in members if is_key(member)]
            removed += len(self._headers(keys, unlink=True, group=group, members=members))
        return removed + (self.remove_many([value]) if itself else 0)

    def _members(self, group: str) -> list[bytes]:
        with self._redis.use() as redis:
            members: list[bytes] = redis.zrange(group, 0, BATCH - 1)
        return members

    def clear(self) -> None:
        """Begin a new generation: what is there is void, and leaves at its own expiry."""
        self._generation.renew()

    def cleanup(self) -> int:
        """Redis expires its entries itself."""
        return 0

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


def _read(key: str, value: bytes) -> tuple[AudioEntry, int]:
    """The entry in a value and its generation. Raises CorruptEntry or NewerSchema."""
    entry, generation = codec.decode(value)
    if entry.key != key:
        raise CorruptEntry("the envelope is another key's")
    return entry._replace(tier=DISTRIBUTED), generation


def _header(key: str, raw: object) -> codec.Header | None:
    try:
        header = codec.peek(raw) if isinstance(raw, bytes) else None
    except TierError:
        return None
    return header if header and header.key == key else None


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
