"""S1, S2, S3 and S6: the SQLite tier, against the bare driver on the same schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Final

import diskcache
from django.core.cache import caches

from audiocache.clock import now_ms
from benchmarks.bare import Bare, open_tier
from benchmarks.cases import COMMIT, Case, Loop
from benchmarks.clips import Clips, K, is_none
from benchmarks.stage import Stage

ENTRIES: Final = {4: 800, 48: 300, 480: 48}
"""By KiB: what fits under the default limits."""


class Stores:
    """A file of ours, a twin of it for whoever else writes on our schema, and the peers."""

    def __init__(self, stage: Stage, stack: ExitStack, clips: Clips) -> None:
        self.clips = clips
        self.ours = stack.enter_context(closing(open_tier(stage.config())))
        twin = stack.enter_context(closing(open_tier(stage.config())))
        self.raw = Bare(clips, self.ours)
        self.twin = Bare(clips, twin)
        # More of the file is mapped than by default, as its documentation offers.
        disk = diskcache.Cache(str(stage.new_folder("diskcache")), sqlite_mmap_size=2**28)
        self.disk: Any = stack.enter_context(closing(disk))
        self.table: Any = caches["table"]
        self.files: Any = caches["files"]
        if not stage.quick:
            self._fill_peers()

    def fill(self) -> None:
        """All clips into ours."""
        self.ours.put_many(list(self.clips.entries.values()))

    def fill_twin(self) -> None:
        """All clips into both of our files."""
        self.fill()
        for key in self.clips.keys:
            self.twin.upsert(key)

    def fill_disk(self) -> None:
        """All clips into diskcache."""
        for key, sound in self.clips.sounds.items():
            self.disk.set(key, sound)

    def _fill_peers(self) -> None:
        self.fill_disk()
        for store in (self.table, self.files):
            for key, sound in self.clips.sounds.items():
                store.set(key, sound, 86_400)

    def empty(self) -> None:
        """Our two files."""
        for bare in (self.raw, self.twin):
            bare.driver.execute("DELETE FROM audiocache_entry")

    def put(self, key: str) -> None:
        """Into ours."""
        self.ours.put_many([self.clips.entries[key]])


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """At three sizes."""
    with ExitStack() as stack:
        made: list[Case] = []
        for kib, number in ENTRIES.items():
            stores = Stores(stage, stack, Clips(number, kib * K))
            made.append(_hit(stores))
            if kib == 4:
                made += [_miss(stores), _has(stores)]
            made.append(_put(stores))
            if kib == 4:
                made.append(_delete(stores))
        yield made


def _hit(stores: Stores) -> Case:
    clips = stores.clips
    asked = clips.asked()

    def loop(name: str, get: Callable[[str], Any]) -> Loop:
        check = clips.is_entry if name == "ours" else clips.is_sound
        return Loop(name, get, asked, check, brings=clips.size, before=_once(stores.fill))

    return Case(
        "S1",
        f"SQLite hit, {clips.name}",
        loop("sqlite3 + xxh3_64", stores.raw.read),
        loop("ours", stores.ours.get),
        {4: 1.25, 48: 1.2, 480: 1.15}[clips.size // K],
        peers=[
            loop("diskcache", stores.disk.get),
            loop("ORM", stores.raw.orm.read),
            loop("DatabaseCache", stores.table.get),
            loop("FileBasedCache", stores.files.get),
        ],
    )


def _miss(stores: Stores) -> Case:
    asked = [key[::-1] for key in stores.clips.asked()]
    return Case(
        "S2",
        "SQLite miss",
        Loop("sqlite3", stores.raw.read, asked, is_none),
        Loop("ours", stores.ours.get, asked, is_none),
        1.3,
        peers=[
            Loop("diskcache", stores.disk.get, asked, is_none),
            Loop("ORM", stores.raw.orm.read, asked, is_none),
        ],
    )


def _has(stores: Stores) -> Case:
    asked = stores.clips.asked()
    return Case(
        "S2",
        "SQLite has",
        Loop("sqlite3", stores.raw.is_there, asked, _is_true, before=_once(stores.fill)),
        Loop(
            "ours",
            lambda key: stores.ours.has_many((key,), now_ms()),
            asked,
            lambda key, keys: keys == {key},
            before=_once(stores.fill),
        ),
        1.3,
        peers=[Loop("diskcache", stores.disk.__contains__, asked, _is_true)],
    )


def _put(stores: Stores) -> Case:
    clips, disk = stores.clips, stores.disk

    def loop(
        name: str, put: Callable[[str], Any], get: Callable[[str], Any], empty: Callable[[], Any]
    ) -> Loop:
        return Loop(
            name, put, clips.keys, lambda key, _: clips.is_sound(key, get(key)),
            before=empty, calls=min(len(clips.keys), 200),
        )  # fmt: skip

    return Case(
        "S3",
        f"SQLite put, {clips.name}",
        loop("sqlite3 upsert", stores.twin.upsert, stores.twin.read, stores.empty),
        loop("ours", stores.put, stores.raw.read, stores.empty),
        1.4,
        peers=[
            loop("diskcache", lambda key: disk.set(key, clips.sounds[key]), disk.get, disk.clear),
            loop("ORM", stores.twin.orm.put, stores.twin.read, stores.empty),
        ],
        allowance=COMMIT,
    )


def _delete(stores: Stores) -> Case:
    clips = stores.clips

    def loop(
        name: str, delete: Callable[[str], Any], get: Callable[[str], Any], fill: Callable[[], None]
    ) -> Loop:
        return Loop(
            name, delete, clips.keys, lambda key, _: not get(key), before=fill, calls=200
        )  # fmt: skip

    return Case(
        "S6",
        "SQLite delete of one",
        loop("sqlite3", stores.twin.delete, stores.twin.read, stores.fill_twin),
        loop("ours", lambda key: stores.ours.remove_many((key,)), stores.raw.read, stores.fill),
        1.3,
        peers=[loop("diskcache", stores.disk.delete, stores.disk.get, stores.fill_disk)],
        allowance=COMMIT,
    )


def _is_true(_: object, result: object) -> bool:
    return result is True


def _once(do: Callable[[], None]) -> Callable[[], None]:
    """Before the first batch alone."""
    left = [do]

    def run() -> None:
        if left:
            left.pop()()

    return run
