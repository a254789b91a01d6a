"""What Redis must decide on the spot: small scripts, and how they are called.

redis-py's own scripts ask in every pipeline whether the server still has them: a round trip
more. Ours are sent only after the server said that it has not.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from audiocache import codec

KEPT: Final = 0
"""A back-fill found a fresh entry."""
TAKEN: Final = 1
NEWER: Final = -1
"""A later release's envelope is there: left alone (law 14)."""


class Script(NamedTuple):
    """A script and the name that the server knows it by."""

    text: str
    sha: str


class Call(NamedTuple):
    """One call of a script."""

    keys: Sequence[str]
    args: Sequence[Any]
    upload: bytes = b""
    """A large value that the script finds under its last key: Lua would copy it twice."""


LARGE: Final = 16 * 1024
"""Bytes from which an envelope is cheaper uploaded and renamed than handed to Lua."""
UPLOAD_MS: Final = 10_000
"""An upload whose script never came leaves by itself."""


def put_call(
    name: str, groups: Iterable[str], envelope: bytes, life: int, now: int, key: str, *, fill: bool
) -> Call:
    """Store an envelope and note its groups; a `life` of 0 removes the entry."""
    args = (life, now, "1" if fill else "", key)
    if len(envelope) < LARGE:
        return Call([name, *groups], [envelope, *args, ""])
    upload = f"{name}:{secrets.token_hex(8)}"
    head = envelope[: codec.HEADER_BYTES]
    return Call([name, *groups, upload], [head, *args, "1"], envelope)


def script(text: str) -> Script:
    """A script as the server will know it."""
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# KEYS: the entry, its groups, and the upload. ARGV: envelope, or its head where the whole one was
# uploaded; life and present in ms; back-fill or ""; key; uploaded or "".
# A life of 0 removes the entry. The score of a group's member is when it leaves, by the server's
# clock, which is also what expires the entry; a group lives as long as its last member. It is
# written before the entry: when memory ends in between, no entry is without its groups.
# Instants beyond 2^53 lose their last digits in Lua, and are for ever in any case.
PUT: Final = script(f"""
local envelope, life = ARGV[1], tonumber(ARGV[2])
local upload = ARGV[6] ~= '' and table.remove(KEYS)
local function leave(answer)
  if upload then redis.call('UNLINK', upload) end
  return answer
end
local head = redis.pcall('GETRANGE', KEYS[1], 0, {codec.HEADER_BYTES - 1})
if type(head) ~= 'string' then head = '' end
if #head > 2 and head:sub(1, 2) == envelope:sub(1, 2) and head:byte(3) > envelope:byte(3) then
  return leave({NEWER})
end
if life == 0 then
  redis.call('UNLINK', KEYS[1])
  return {KEPT}
end
if ARGV[4] ~= '' and #head == {codec.HEADER_BYTES}
    and head:sub(1, 4) == envelope:sub(1, 4)
    and head:sub({codec.KEY_AT + 1}, {codec.CREATED_AT}) ==
      envelope:sub({codec.KEY_AT + 1}, {codec.CREATED_AT})
    and struct.unpack('>I8', head, {codec.EXPIRES_AT + 1}) > tonumber(ARGV[3]) then
  return leave({KEPT})
end
for i = 2, #KEYS do
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
else
  redis.call('SET', KEYS[1], envelope, 'PX', life)
end
return {TAKEN}
""")

# KEYS: the generation. ARGV: the one to begin with where none is there, or something foreign.
# Of two that begin at once both learn the same.
BEGIN: Final = script("""
local known = redis.pcall('GET', KEYS[1])
if type(known) == 'string' and #known < 20 and known:find('^[1-9]%d*$') then return known end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
""")


def run(redis: Any, script: Script, calls: Iterable[Call]) -> list[Any]:
    """The answers of so many calls: one round trip. Raises Redis' errors."""
    from redis.exceptions import NoScriptError

    wanted = list(calls)
    answers = _answers(redis, script, wanted)
    if any(isinstance(answer, NoScriptError) for answer in answers):  # new, or restarted
        redis.script_load(script.text)
        answers = _answers(redis, script, wanted)
    refuse(answers)
    return answers


def _answers(redis: Any, script: Script, calls: Sequence[Call]) -> list[Any]:
    pipe = redis.pipeline(transaction=False)
    places = []
    for call in calls:
        if call.upload:
            pipe.set(call.keys[-1], call.upload, px=UPLOAD_MS)
        places.append(len(pipe))
        pipe.evalsha(script.sha, len(call.keys), *call.keys, *call.args)
    answers = pipe.execute(raise_on_error=False)
    return [answers[place] for place in places]


def refuse(answers: Iterable[Any], *, but: str = "no kind") -> None:
    """Raise the first error among a pipeline's answers, save those of one kind."""
    for answer in answers:
        if isinstance(answer, Exception) and not str(answer).startswith(but):
            raise answer
