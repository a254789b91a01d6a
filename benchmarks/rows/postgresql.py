"""P1 and P2: the PostgreSQL tier, against libpq and psycopg."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
from django.db import connections
from psycopg import pq

from audiocache.clock import now_ms
from audiocache.conf import CacheConfig
from audiocache.rows import values_of
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import dialect_for
from benchmarks.cases import COMMIT, Case, Loop
from benchmarks.clips import Clips, K
from benchmarks.orm import OrmRows
from benchmarks.stage import Stage

NUMBER: Final = 48
HIT: Final = "SELECT audio, checksum, expires FROM audiocache_entry WHERE key = $1"
PLAIN_HIT: Final = "SELECT audio FROM audiocache_entry WHERE key = %s AND expires > %s"
UPSERT: Final = dialect_for("postgresql").upsert(1, only_missing=False)


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """On one table, which all of them use in turn."""
    tier = PersistentTier.from_config(CacheConfig(persistent_database="audiocache"))
    database = stage.postgres
    where = psycopg.conninfo.make_conninfo(
        host=database["HOST"], port=database["PORT"], user=database["USER"],
        password=database["PASSWORD"], dbname=database["NAME"],
    )  # fmt: skip
    libpq = pq.PGconn.connect(where.encode())
    libpq.prepare(b"hit", HIT.encode())
    with closing(tier), psycopg.connect(where, autocommit=True) as driver:
        rooms = [Room(Clips(NUMBER, kib * K), tier, libpq, driver) for kib in (4, 48, 480)]
        yield [*map(_hit, rooms[:2]), *map(_put, rooms)]
    libpq.finish()


class Room:
    """Clips of one size, and all who may read and write them."""

    def __init__(
        self,
        clips: Clips,
        tier: PersistentTier,
        libpq: pq.abc.PGconn,
        driver: psycopg.Connection[Any],
    ) -> None:
        self.clips = clips
        self.tier = tier
        self._libpq = libpq
        self._driver = driver
        self.orm = OrmRows(clips, "audiocache")

    def fill(self) -> None:
        """All clips."""
        self.tier.put_many(list(self.clips.entries.values()))

    def empty(self) -> None:
        """The table and its totals."""
        self._driver.execute("TRUNCATE audiocache_entry, audiocache_total, audiocache_tag")

    def read(self, key: str) -> bytes | None:
        """libpq's own call."""
        result = self._libpq.exec_prepared(b"hit", [key.encode()], result_format=1)
        return result.get_value(0, 0)

    def cursor_read(self, key: str) -> bytes:
        """Through Django's cursor."""
        with connections["audiocache"].cursor() as cursor:
            cursor.execute(PLAIN_HIT, [key, now_ms()])
            return bytes(cursor.fetchone()[0])

    def upsert(self, key: str) -> None:
        """The driver's own call."""
        values = list(values_of(self.clips.entries[key], now_ms()))
        self._driver.execute(UPSERT, values, prepare=True, binary=True).fetchone()

    def put(self, key: str) -> None:
        """Into ours."""
        self.tier.put_many([self.clips.entries[key]])


def _hit(room: Room) -> Case:
    clips = room.clips
    asked = clips.asked()

    def loop(name: str, get: Callable[[str], Any]) -> Loop:
        check = clips.is_entry if name == "ours" else clips.is_sound
        return Loop(name, get, asked, check, brings=clips.size, before=room.fill)

    return Case(
        "P1",
        f"PostgreSQL hit, {clips.name}",
        loop("libpq", room.read),
        loop("ours", room.tier.get),
        {4: 1.7, 48: 1.35}[clips.size // K],
        peers=[loop("Django's cursor", room.cursor_read), loop("ORM", room.orm.read)],
    )


def _put(room: Room) -> Case:
    clips = room.clips

    def loop(name: str, put: Callable[[str], Any]) -> Loop:
        return Loop(
            name, put, clips.keys, lambda key, _: clips.is_sound(key, room.read(key)),
            before=room.empty, calls=NUMBER,
        )  # fmt: skip

    return Case(
        "P2",
        f"PostgreSQL put, {clips.name}",
        loop("psycopg upsert", room.upsert),
        loop("ours", room.put),
        {4: 1.4, 48: 1.3, 480: 1.2}[clips.size // K],
        peers=[loop("ORM", room.orm.put)],
        allowance=COMMIT,
    )
