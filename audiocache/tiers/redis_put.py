"""How an envelope is stored: one script, that looks at what is there and at the removal log."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from audiocache import codec
from audiocache.entries import AudioEntry
from audiocache.removals import ALL, Guard, Row
from audiocache.removals.values import BEGUN, REPLACED, SKEW_MS, digest
from audiocache.tiers.redis_log_scripts import ANNOUNCE, encoded, new_mark
from audiocache.tiers.redis_names import Names
from audiocache.tiers.redis_scripts import Call, script

KEPT: Final = 0
"""A back-fill found a fresh entry."""
TAKEN: Final = 1
NEWER: Final = -1
"""A later release's envelope is there: left alone (law 14)."""
MOVED: Final = -2
"""The removal log may say more of it than was known when it was read."""
LATER: Final = -4
"""One that was made later is there: its put overtook this one."""
CLEARED: Final = -3
"""Another generation was begun than the envelope is stamped with."""

LARGE: Final = 16 * 1024
"""Bytes from which an envelope is cheaper uploaded and renamed than handed to Lua: Lua would copy
it twice."""
FIXED_KEYS: Final = 5
LOOKED: Final = 2_000
"""Entries of the log that a put looks through at most."""


class Put(NamedTuple):
    """An envelope and what its storing needs to know."""

    key: str
    envelope: bytes
    life: int
    """In ms; 0 removes the entry."""
    created: int
    groups: Sequence[str] = ()
    names: Sequence[str] = ()
    """What stands in the log where it is removed."""


class Mode(NamedTuple):
    """What holds for all envelopes of a put."""

    now: int
    fill: bool
    guard: Guard | None
    ledger: str
    """Whose positions the guard means."""
    generation: int
    """Which one the envelopes are stamped with."""


def put_call(names: Names, put: Put, mode: Mode) -> Call:
    """Store an envelope and note its groups."""
    name, envelope = names.entry(put.key), put.envelope
    args = [put.life, mode.now, "1" if mode.fill else "", put.key]
    rows = encoded([Row(REPLACED, f"{put.key}:{put.created}", put.created)])
    told = [*_guarded(mode.guard), rows, new_mark(), new_mark(), mode.generation]
    told += put.names if mode.guard else ()
    keys = [name, names.end, names.log, names.reached(mode.ledger), names.generation, *put.groups]
    if len(envelope) < LARGE:
        return Call(keys, [envelope, *args, "", *told])
    upload = f"{name}:{secrets.token_hex(8)}"
    return Call([*keys, upload], [envelope[: codec.HEADER_BYTES], *args, "1", *told], envelope)


def names_of(entry: AudioEntry) -> Iterator[str]:
    """What stands in the log where an entry is removed: by its key, in a group, with all."""
    yield from filter(None, dict.fromkeys((entry.key, entry.text_digest, entry.source_key)))
    yield from map(digest, entry.tags)
    # Of what takes several steps it says at first only that it has begun.
    yield from (encoded([Row(kind, "", 0)])[1:].partition(",")[0] for kind in (ALL, BEGUN))


def _guarded(guard: Guard | None) -> tuple[Any, Any]:
    """Where the stream ended, "-" where there was none, and how far the ledger was known."""
    if guard is None:
        return "", ""
    return (str(guard.stream) if guard.stream.history else "-"), guard.ledger


# KEYS: the entry; where the log ends, the log, how far a ledger is known, the generation; the
# entry's groups, and the upload. ARGV: envelope, or its head where the whole one was uploaded;
# life and present in ms; back-fill or ""; key; uploaded or ""; where the log was to end and the
# ledger to be known, or ""; to announce a replacement: rows, a mark, another history; the
# envelope's generation; and what stands in the log where it is removed. Others are replaced all
# the time: what the log says of them stops nobody. Answers what came of it, and as they were before
# it: where the log ended, and how far the ledger was known.
# A life of 0 removes the entry. A back-fill replaces one that not all of its groups name. The score
# of a group's member is when it leaves, by the server's clock, which is also what expires the
# entry; a group lives as long as its last member. It is written before the entry: when memory ends
# in between, no entry is without its groups.
# An entry that was made later stays, unless its clock was wrong (see `SKEW_MS`).
# Instants beyond 2^53 lose their last digits in Lua, and are for ever in any case.
PUT: Final = script(
    ANNOUNCE
    + f"""
local envelope, life = ARGV[1], tonumber(ARGV[2])
local upload = ARGV[6] ~= '' and table.remove(KEYS)
local function text(name)
  local held = redis.pcall('GET', name)
  return type(held) == 'string' and held
end
local ended, reached = text(KEYS[2]), text(KEYS[4])
local function leave(answer)
  if upload then redis.call('UNLINK', upload) end
  return {{answer, ended or '', reached or ''}}
end
local function concerns(rows)
  for i = 13, #ARGV do
    if rows:find(ARGV[i], 1, true) then return true end
  end
end
local function rows_in(said, mark)
  local found = {{}}
  for i = 1, #said, 2 do found[said[i]] = said[i + 1] end
  return (not mark or found.m == mark) and found.r
end
local function told()
  if (ended or '-') == ARGV[7] then return false end
  local history, position, mark = ARGV[7]:match('^(%x+):(%d+):(%x+)$')
  if not history or not ended or ended:match('^%x+') ~= history then return true end
  local later = redis.pcall('XRANGE', KEYS[3], position .. '-0', '+', 'COUNT', {LOOKED})
  if later.err or #later == 0 or #later == {LOOKED} then return true end
  for i, one in ipairs(later) do
    local rows = rows_in(one[2], i == 1 and mark)
    if not rows or one[1] ~= string.format('%d-0', position + i - 1) then return true end
    if i > 1 and concerns(rows) then return true end
  end
  return false
end
if ARGV[7] ~= '' and ((tonumber(reached or 0) or 0) > tonumber(ARGV[8]) or told()) then
  return leave({MOVED})
end
if text(KEYS[5]) ~= ARGV[12] then return leave({CLEARED}) end
local head = redis.pcall('GETRANGE', KEYS[1], 0, {codec.HEADER_BYTES - 1})
if type(head) ~= 'string' then head = '' end
if #head > 2 and head:sub(1, 2) == envelope:sub(1, 2) and head:byte(3) > envelope:byte(3) then
  return leave({NEWER})
end
local function field(at) return head:sub(at + 1, at + 8) end
local fresh = #head == {codec.HEADER_BYTES}
    and head:sub(1, 4) == envelope:sub(1, 4)
    and head:sub({codec.KEY_AT + 1}, {codec.CREATED_AT}) ==
      envelope:sub({codec.KEY_AT + 1}, {codec.CREATED_AT})
    and struct.unpack('>I8', field({codec.EXPIRES_AT})) > tonumber(ARGV[3])
local function named()
  for i = {FIXED_KEYS + 1}, #KEYS do
    if type(redis.pcall('ZSCORE', KEYS[i], ARGV[5])) ~= 'string' then return false end
  end
  return true
end
if fresh and ARGV[4] ~= '' and named() then return leave({KEPT}) end
local function created(of)
  return struct.unpack('>I8', of:sub({codec.CREATED_AT + 1}, {codec.CREATED_AT + 8}))
end
local ahead = fresh and ARGV[4] == '' and created(head) - created(envelope)
if ahead and ahead > 0 and ahead <= {SKEW_MS} then return leave({LATER}) end
local function replaced()
  if fresh and created(head) ~= created(envelope) then
    announce(KEYS[2], KEYS[3], ARGV[9], ARGV[10], ARGV[11], '', '', '')
  end
end
if life == 0 then
  redis.call('UNLINK', KEYS[1])
  replaced()
  return leave({KEPT})
end
for i = {FIXED_KEYS + 1}, #KEYS do
  local group, time = KEYS[i], redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if redis.call('TYPE', group).ok ~= 'zset' then redis.call('DEL', group) end
  redis.call('ZADD', group, now + life, ARGV[5])
  local gone = redis.call('ZRANGEBYSCORE', group, '-inf', now, 'LIMIT', 0, 10)
  if #gone > 0 then redis.call('ZREM', group, unpack(gone)) end
  if redis.call('PTTL', group) < life + 1000 then redis.call('PEXPIRE', group, life + 1000) end
end
if upload then
  redis.call('RENAME', upload, KEYS[1])
  redis.call('PEXPIRE', KEYS[1], life)
  upload = nil
else
  redis.call('SET', KEYS[1], envelope, 'PX', life)
end
replaced()
return leave({TAKEN})
"""
)
