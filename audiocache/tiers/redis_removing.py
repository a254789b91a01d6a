"""Removing entries from Redis: by key, by group, all; and what is announced of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from audiocache.clock import Clock
from audiocache.removals import ALL, KEY, TAGS, TEXT, Removal, Row
from audiocache.removals.values import BEGUN, digest
from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.redis_connection import RedisConnection
from audiocache.tiers.redis_generation import Generation, another, number_in
from audiocache.tiers.redis_groups import BATCH, RedisGroups, header_in
from audiocache.tiers.redis_log_scripts import DONE, FORGET, Forgetting, forget_call
from audiocache.tiers.redis_names import Names, is_key


class RedisRemoving:
    """Each verb says how many live entries were there."""

    def __init__(
        self,
        redis: RedisConnection,
        names: Names,
        groups: RedisGroups,
        generation: Generation,
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._names = names
        self._groups = groups
        self._generation = generation
        self._clock = clock

    def apply(self, removals: Iterable[Removal], announced: Forgetting) -> tuple[int, int]:
        """Remove what removals say; how many, and the script's answer.

        What takes several steps is announced with the first, too, and its origin with the last.
        """
        wanted, early, removed = list(removals), _begun(announced), 0
        for removal in wanted:
            if removal.field not in {KEY, ALL}:
                removed += self._group(removal, early)
        if any(removal.field == ALL for removal in wanted):
            announced = announced._replace(generation=another())
        single = {removal.value: removal.before for removal in wanted if removal.field == KEY}
        *firsts, last = [*_batches(single)] or [{}]
        for batch in firsts:
            removed += self._forget(early._replace(ends=batch))[0]
        number, answer, _ = self._forget(announced._replace(ends=last))
        if answer == DONE and announced.generation:
            self._generation.remember(announced.generation)
        return removed + number, answer

    def _forget(self, what: Forgetting) -> tuple[int, int, int]:
        """How many live entries left, the script's answer, how many members left."""
        if not (what.ends or what.rows or what.origin or what.generation):
            return 0, DONE, 0
        with self._redis.use() as redis:
            [answer] = scripts.run(redis, FORGET, [forget_call(self._names, what)])
        done, left, generation, *heads = answer
        return self._live(heads, number_in(generation)), done, left

    def _live(self, heads: Iterable[Any], generation: int) -> int:
        now = self._clock()
        read = [header for head in heads if (header := header_in(head))]
        return sum(head.generation == generation and head.keep_until > now for head in read)

    def _group(self, removal: Removal, announced: Forgetting) -> int:
        group = self._names.group(
            removal.field, removal.value, removal.namespace, digested=removal.digested
        )
        removed = start = 0
        # Bare text and a paid clip are their own group and need no index.
        if removal.field != TAGS and not (removal.field == TEXT and removal.namespace):
            itself = announced._replace(ends={removal.value: removal.before})
            removed += self._forget(itself)[0]
        while members := self._groups.members(group, start):
            ends = self._ends(removal, [one.decode() for one in members if is_key(one)])
            number, _, left = self._forget(announced._replace(ends=ends, group=group))
            left += self._groups.drop_foreign(group, members)
            removed += number
            start += len(members) - left
        return removed

    def _ends(self, removal: Removal, keys: Sequence[str]) -> dict[str, int]:
        """For each member, before when it was stored; 0: a later put took the tag off."""
        if removal.field != TAGS:
            return dict.fromkeys(keys, removal.before)
        found = self._groups.silent(self._groups.headers(keys)[1].values())
        shown: Callable[[str], str] = digest if removal.digested else str
        return dict.fromkeys(keys, 0) | {
            # This very entry: what is stored meanwhile may have other tags.
            one.key: min(removal.before, one.created + 1)
            for one in found
            if removal.value in map(shown, one.tags)
        }


def _begun(announced: Forgetting) -> Forgetting:
    """What is said before the last step. Where a ledger has it, only that the log moves on: should
    we be killed, another says the rest.
    """
    if announced.origin is None:
        return announced
    return announced._replace(origin=None, rows=[Row(BEGUN, "", 0)])


def _batches(ends: Mapping[str, int]) -> Iterator[dict[str, int]]:
    rest = iter(ends.items())
    while batch := dict(islice(rest, BATCH)):
        yield batch
