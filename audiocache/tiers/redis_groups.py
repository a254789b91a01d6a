"""The indices of the groups in Redis, and what of an entry lies beside its sound.

Redis may evict an index and keep the entries that it names: no removal of the group finds them
then. So an entry exists only as long as each of its groups names it. Who reads one asks for its
places along with it, which keeps an index in use for as long as its entries are: an envelope names
its groups, so a script finds them. Where it does not (an earlier release's), or the server has not
the script, they are asked for afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from audiocache import codec
from audiocache.entries import AudioEntry
from audiocache.exceptions import CorruptEntry, TierError
from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.redis_asking import Command, ask, refuse
from audiocache.tiers.redis_connection import RedisConnection
from audiocache.tiers.redis_names import KEY_CHARACTERS, Names, is_key

BATCH: Final = 100
"""Members read in one round trip."""
SCANNED: Final = 1000
"""Keys that the server looks at in one round trip."""
WRONG_TYPE: Final = "WRONGTYPE"
NAMED_BY_ALL: Final = 1
FOREIGN: Final = -1
"""Of another type: MGET shows a list or a hash as nothing."""
LISTED: Final = 2048
"""Bytes at the beginning of the details in which the groups are looked for."""

# KEYS: entries. Answers for each 1 where all groups that its envelope lists name it, FOREIGN where
# there is no text at all; else 0: then they are asked for by themselves.
NAMED: Final = scripts.script(f"""
local listing, call = '^{{"{codec.GROUPS}":(%b[])', redis.pcall
local function named(entry)
  local held = call('GETRANGE', entry, {codec.HEADER_BYTES}, {codec.HEADER_BYTES + LISTED})
  if type(held) ~= 'string' then return {FOREIGN} end
  local listed, key = held:match(listing), entry:sub(-{KEY_CHARACTERS})
  if not listed or listed:find('\\\\', 1, true) then return 0 end
  for group in listed:gmatch('"([^"]*)"') do
    if type(call('ZSCORE', group, key)) ~= 'string' then return 0 end
  end
  return {NAMED_BY_ALL}
end
local answer = {{}}
for i, entry in ipairs(KEYS) do answer[i] = named(entry) end
return answer
""")


class RedisGroups:
    """Reads indices, and entries without their sound."""

    def __init__(self, redis: RedisConnection, names: Names) -> None:
        self._redis = redis
        self._names = names

    # Entries

    def headers(self, keys: Collection[str]) -> tuple[Any, dict[str, codec.Header]]:
        """What stands for the generation, and the headers that there are."""
        last = codec.HEADER_BYTES - 1
        heads = [("GETRANGE", self._names.entry(key), 0, last) for key in keys]
        generation, *answers = self._asked([("GET", self._names.generation), *heads])
        read = zip(keys, map(header_in, answers), strict=True)
        return generation, {key: head for key, head in read if head and head.key == key}

    def silent(self, heads: Collection[codec.Header]) -> list[AudioEntry]:
        """The entries with these headers, without their sound."""
        start = codec.HEADER_BYTES
        ranges = [
            ("GETRANGE", self._names.entry(head.key), start, start + head.details - 1)
            for head in heads
        ]
        return list(_silent(heads, self._asked(ranges)))

    # Indices

    def asking(self, names: Sequence[str]) -> Command:
        """What is asked along with entries; `told` reads the answer."""
        return ("EVALSHA", NAMED.sha, len(names), *names)

    def told(self, keys: Sequence[str], answer: object) -> dict[str, int]:
        """What was answered of entries, as far as the server could say."""
        from redis.exceptions import NoScriptError

        if isinstance(answer, NoScriptError):  # new, or restarted
            call = scripts.Call([self._names.entry(key) for key in keys], [])
            with self._redis.use() as redis:
                [answer] = scripts.run(redis, NAMED, [call])
        return dict(zip(keys, answer, strict=False)) if isinstance(answer, list) else {}

    def unnamed(self, entries: Iterable[AudioEntry]) -> dict[str, AudioEntry]:
        """By key those that one of their groups does not name."""
        places = [(one, group) for one in entries for group in self._names.groups_of(one)]
        scores = self._asked([("ZSCORE", group, one.key) for one, group in places])
        pairs = zip(places, scores, strict=True)
        return {one.key: one for (one, _), score in pairs if not _is_score(score)}

    def members(self, group: str, start: int) -> list[bytes]:
        """Some of an index; none of what is no index, which leaves."""
        [found] = self._asked([("ZRANGE", group, start, start + BATCH - 1)])
        if isinstance(found, list):
            return found
        with self._redis.use() as redis:
            redis.unlink(group)
        return []

    def namespaces_of(self, text_digest: str) -> Iterator[str]:
        """Digests of those in which a text has an index, by a look at the names of all keys."""
        pattern, cursor = self._names.groups_of_text(text_digest), None
        while cursor != 0:
            with self._redis.use() as redis:
                cursor, found = redis.scan(cursor or 0, match=pattern, count=SCANNED)
            yield from (name.decode().rpartition(":")[2] for name in found)

    def drop_foreign(self, group: str, members: Sequence[bytes]) -> int:
        """Members that are no keys of ours leave; how many."""
        foreign = [one for one in members if not is_key(one)]
        if not foreign:
            return 0
        with self._redis.use() as redis:
            return int(redis.zrem(group, *foreign))

    def _asked(self, commands: Sequence[Command]) -> list[Any]:
        """The answers; what is of another type answers with its error."""
        if not commands:
            return []
        with self._redis.use() as redis:
            answers = ask(redis, commands)
            refuse(answers, but=WRONG_TYPE)
        return answers


def header_in(raw: object) -> codec.Header | None:
    """The header in the first bytes of a value; None when they are none of an envelope."""
    try:
        return codec.peek(raw) if isinstance(raw, bytes) else None
    except TierError:
        return None


def _is_score(answer: object) -> bool:
    """RESP 2 says it as text, RESP 3 as a number."""
    return isinstance(answer, bytes | float)


def _silent(heads: Iterable[codec.Header], details: Iterable[Any]) -> Iterator[AudioEntry]:
    for head, raw in zip(heads, details, strict=True):
        try:
            yield codec.silent(head, raw if isinstance(raw, bytes) else b"")
        except CorruptEntry:  # or another entry by now
            continue
