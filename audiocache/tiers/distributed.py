"""The distributed tier: envelopes in Redis, shared by all hosts.

`redis_names` says what lies where, `redis_put` and `redis_log_scripts` what the server decides
by itself. An entry expires at `keep_until` (30 days for those without end).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from audiocache import codec
from audiocache.clock import DAY_MS, Clock, now_ms
from audiocache.conf import DISTRIBUTED, KIB, CacheConfig
from audiocache.entries import NEVER, AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema
from audiocache.removals import ALL, KEY, Guard, Removal
from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.base import Tier
from audiocache.tiers.redis_asking import ask, refuse
from audiocache.tiers.redis_connection import RedisConnection, connect
from audiocache.tiers.redis_generation import Generation
from audiocache.tiers.redis_groups import FOREIGN, NAMED_BY_ALL, RedisGroups
from audiocache.tiers.redis_leases import RedisLeases
from audiocache.tiers.redis_log import RedisStream
from audiocache.tiers.redis_log_scripts import Forgetting
from audiocache.tiers.redis_names import Names
from audiocache.tiers.redis_places import RedisPlaces
from audiocache.tiers.redis_put import CLEARED, NEWER, PUT, TAKEN, Mode, Put, names_of, put_call
from audiocache.tiers.redis_removing import RedisRemoving

TRIES: Final = 3
"""At storing while others clear."""
LONGEST_MS: Final = 30 * DAY_MS
"""Redis keeps an entry without end for this long."""


class DistributedTier(Tier):
    """On a Redis or Valkey server, through django-redis' connection."""

    name: ClassVar[str] = DISTRIBUTED
    shared = True
    takes_spares = False  # its memory is dear, and it would evict others' keys for them

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
        self._groups = RedisGroups(connection, self._names)
        self._removing = RedisRemoving(
            connection, self._names, self._groups, self._generation, clock
        )
        self.log: RedisStream = RedisStream(connection, self._names, self._removing)
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
        names, number = [self._names.entry(key) for key in wanted], self.log.number()
        with self._redis.use() as redis:
            several = ("MGET", self._names.generation, *self.log.along, *names)
            *answers, told_of = ask(redis, [several, self._groups.asking(names)])
            refuse(answers)
        [(generation, end, reached, *values)] = answers
        self.log.saw(number, end, reached)
        told = self._groups.told(wanted, told_of)
        self._remove_corrupt([key for key, one in told.items() if one == FOREIGN])
        held = {key: value for key, value in zip(wanted, values, strict=True) if value is not None}
        found = self._read_all(held, self._generation.learn(generation))
        return self._named(found, {key for key, one in told.items() if one == NAMED_BY_ALL})

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

    def _named(self, found: dict[str, AudioEntry], named: set[str]) -> dict[str, AudioEntry]:
        """Those whose groups all name them: what no removal would find, was evicted in part."""
        if found.keys() <= named:
            return found
        if lost := self._groups.unnamed(one for key, one in found.items() if key not in named):
            number = len(lost)
            self.counts["evicted"] += number
            wanted = [Removal(KEY, key, before=one.created + 1) for key, one in lost.items()]
            self.remove_all(wanted)
        return {key: one for key, one in found.items() if key not in lost} if lost else found

    def _remove_corrupt(self, keys: Sequence[str]) -> None:
        if keys:
            number = len(keys)
            self.counts["corrupt"] += number
            with self._redis.use() as redis:
                redis.unlink(*map(self._names.entry, keys))

    def has_many(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are fresh at `now`; reads no sound."""
        found = self._groups.silent([head for head in self._headers(keys) if head.expires > now])
        return {one.key for one in found} - self._groups.unnamed(found).keys()

    def _headers(self, keys: Collection[str]) -> list[codec.Header]:
        """The headers of the valid entries among keys."""
        answer, heads = self._groups.headers(keys)
        generation, now = self._generation.learn(answer), self._clock()
        return [h for h in heads.values() if h.generation == generation and h.keep_until > now]

    # Writing

    def put_many(
        self,
        entries: Sequence[AudioEntry],
        *,
        only_missing: bool = False,
        guard: Guard | None = None,
    ) -> set[str]:
        """Store envelopes with their expiry: one round trip."""
        now, answers = self._clock(), dict[str, int]()
        latest = {entry.key: entry for entry in entries}
        lives = {key: self._life(entry, now) for key, entry in latest.items()}
        # What has no life here (0) still replaces its older sound.
        wanted = {key: one for key, one in latest.items() if lives[key] or not only_missing}
        for _ in range(TRIES if wanted else 0):
            mode = Mode(now, only_missing, guard, self.log.ledger, self._generation.known())
            answers |= self._store(wanted, lives, mode)
            wanted = {key: one for key, one in wanted.items() if answers[key] == CLEARED}
            if not wanted:
                break
            self._generation.forget()
        newer = list(answers.values()).count(NEWER)
        self.counts["newer_schema"] += newer
        return {key for key, answer in answers.items() if answer == TAKEN}

    def _store(
        self, wanted: Mapping[str, AudioEntry], lives: Mapping[str, int], mode: Mode
    ) -> dict[str, int]:
        """What came of each."""
        puts = [self._put(one, lives[key], mode.generation) for key, one in wanted.items()]
        number = self.log.number()
        with self._redis.use() as redis:
            answers = scripts.run(redis, PUT, [put_call(self._names, put, mode) for put in puts])
        self.log.saw(number, *answers[0][1:])
        return {key: answer[0] for key, answer in zip(wanted, answers, strict=True)}

    def _life(self, entry: AudioEntry, now: int) -> int:
        """For how many ms Redis is to keep it; 0: not at all."""
        if entry.size > self.max_entry_bytes:
            self.counts["oversize"] += 1
            return 0
        return LONGEST_MS if entry.keep_until == NEVER else max(0, entry.keep_until - now)

    def _put(self, entry: AudioEntry, life: int, generation: int) -> Put:
        if not life:  # its header says whose older sound goes
            head = codec.encode(entry._replace(audio=b""), generation)
            return Put(entry.key, head, 0, entry.created, names=list(names_of(entry)))
        groups = list(self._names.groups_of(entry))
        envelope = codec.encode(entry, generation, groups)
        return Put(entry.key, envelope, life, entry.created, groups, list(names_of(entry)))

    # Removing

    def remove_many(self, keys: Collection[str]) -> int:
        """Remove entries; how many were there."""
        return self.remove_all([Removal(KEY, key) for key in keys])

    def remove_group(self, field: str, value: str, namespace: str = "") -> int:
        """Remove the entries of a text in a namespace, of a source or of a tag."""
        return self.remove_all([Removal(field, value, namespace)])

    def clear(self) -> None:
        """Begin a new generation: what is there is void, and leaves at its own expiry."""
        self.remove_all([Removal(ALL)])

    def remove_all(self, removals: Sequence[Removal]) -> int:
        """Remove what removals say, also where they come out of a log."""
        return self._removing.apply(removals, Forgetting())[0]

    def cleanup(self) -> int:
        """Redis expires its entries itself."""
        return 0

    # Looking

    def namespaces_of(self, text_digest: str) -> set[str]:
        """Digests of the namespaces in which there may be something of a text: by SCAN."""
        return set(self._groups.namespaces_of(text_digest))

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
    entry, generation = codec.decode(value, DISTRIBUTED)
    if entry.key != key:
        raise CorruptEntry("the envelope is another key's")
    return entry, generation
