"""The removal log in Redis as scripts: what is removed is announced in the same moment."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from audiocache import codec
from audiocache.entries import NEVER
from audiocache.removals import Origin, Row
from audiocache.removals.log import KEPT
from audiocache.tiers.redis_names import Names
from audiocache.tiers.redis_scripts import Call, script

DONE: Final = 1
HAD: Final = 0
"""Another process has announced it already."""
BEHIND: Final = -1
"""Redis has not heard yet of what stands before it in the ledger."""

# A position follows the last one. Where the end is lost, the log begins anew, with another history;
# where the stream is lost or not ours, it goes on in a new one, and readers see the gap.
ANNOUNCE: Final = f"""
local function announce(last, log, rows, mark, fresh, ledger, from, to)
  local held = redis.pcall('GET', last)
  local history, position
  if type(held) == 'string' then history, position = held:match('^(%x+):(%d+):%x+$') end
  if not history then
    history, position = fresh, 0
    redis.call('UNLINK', log)
  end
  position = string.format('%d', position + 1)
  local function add()
    return redis.pcall('XADD', log, 'MAXLEN', {KEPT}, position .. '-0',
      'm', mark, 'r', rows, 'o', ledger, 'f', from, 't', to)
  end
  local added = add()
  if type(added) == 'table' and added.err
      and (added.err:find('WRONGTYPE') or added.err:find('equal or smaller')) then
    redis.call('UNLINK', log)
    added = add()
  end
  if type(added) == 'table' and added.err then return added end
  redis.call('SET', last, history .. ':' .. position .. ':' .. mark)
end
"""

# KEYS: where the log ends, the log, how far a ledger is known, the generation, the group whose
# members the entries are (or any name), entries. ARGV: rows or "", mark, another history; ledger,
# its first and last position, or "" each; another generation or ""; and for each entry its key,
# and an instant in ms before which it was stored, or "".
# Entries are removed first: a full Redis lets that happen, and may refuse what follows. An entry
# and its place in the group leave at once: a put in between would be in none.
# Answers: DONE, HAD or BEHIND; members that left; the generation; and the heads of what left.
FORGET: Final = script(
    ANNOUNCE
    + f"""
local first, last = tonumber(ARGV[5]), tonumber(ARGV[6])
if last then
  local reached = redis.pcall('GET', KEYS[3])
  reached = type(reached) == 'string' and tonumber(reached) or 0
  if reached >= last then return {{{HAD}, 0, ''}} end
  if reached < first - 1 then return {{{BEHIND}, 0, ''}} end
end
local generation = redis.pcall('GET', KEYS[4])
local answer = {{{DONE}, 0, type(generation) == 'string' and generation or ''}}
for i = 6, #KEYS do
  local key, before = ARGV[2 * i - 4], tonumber(ARGV[2 * i - 3])
  local head = redis.pcall('GETRANGE', KEYS[i], 0, {codec.HEADER_BYTES - 1})
  if type(head) ~= 'string' then head = '' end
  local leaves = not before or (#head == {codec.HEADER_BYTES}
      and struct.unpack('>I8', head:sub({codec.CREATED_AT + 1}, {codec.CREATED_AT + 8})) < before)
  if leaves then
    redis.call('UNLINK', KEYS[i])
    answer[#answer + 1] = head
  end
  if leaves or #head == 0 then
    local left = redis.pcall('ZREM', KEYS[5], key)
    answer[2] = answer[2] + (type(left) == 'number' and left or 0)
  end
end
if ARGV[7] ~= '' then redis.call('SET', KEYS[4], ARGV[7]) end
if ARGV[1] ~= '' then
  local refused = announce(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
  if refused then return refused end
end
if last then redis.call('SET', KEYS[3], ARGV[6]) end
return answer
"""
)


class Forgetting(NamedTuple):
    """Entries that go, and what is announced of it."""

    ends: Mapping[str, int] = {}
    """By key: what was stored then (ms) or later stays."""
    group: str = ""
    """Whose members they are."""
    rows: Sequence[Row] = ()
    origin: Origin | None = None
    generation: int = 0
    mark: str = ""


def forget_call(names: Names, what: Forgetting) -> Call:
    """Remove entries and announce it."""
    ledger, first, last = what.origin or ("", "", "")
    places = [names.end, names.log, names.reached(ledger), names.generation]
    told = [encoded(what.rows), what.mark or new_mark(), new_mark(), ledger, first, last]
    ends = [word for key, end in what.ends.items() for word in (key, "" if end == NEVER else end)]
    return Call(
        [*places, what.group or names.end, *map(names.entry, what.ends)],
        [*told, what.generation or "", *ends],
    )


def encoded(rows: Iterable[Row]) -> str:
    """Rows as they stand in the stream; empty for none."""
    told = list(rows)
    return json.dumps(told, separators=(",", ":")) if told else ""


def decoded(value: bytes) -> tuple[Row, ...]:
    """Rows out of the stream; what is none is left out, for others can write there, too."""
    try:
        return tuple(Row(str(kind), str(told), int(at)) for kind, told, at in json.loads(value))
    except (TypeError, ValueError):
        return ()


def new_mark() -> str:
    """A name that no other entry and no other history has."""
    return secrets.token_hex(8)
