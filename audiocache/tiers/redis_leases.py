"""Leases in Redis: a hash each, gone by itself some time after its end, by the server's clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from audiocache.leases import KEPT_MS, Lease, LeaseStore
from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.redis_connection import RedisConnection
from audiocache.tiers.redis_names import Names

# What is no hash is not ours: it goes, or nobody could ever hold the lease.
_BEGIN: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function held(key)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
  return redis.call('HMGET', key, 'holder', 'deadline', 'settled_by', 'outcome')
end
local function told(lease)
  local left = (tonumber(lease[2]) or 0) - now
  return {lease[1] or '', left, lease[3] or '', lease[4] or ''}
end
"""

# KEYS: the leases. ARGV: for how long, how long it is kept after that, and an owner for each; ms.
TAKE: Final = scripts.script(f"""{_BEGIN}
local answers = {{}}
for place, key in ipairs(KEYS) do
  local owner, lease = ARGV[2 + place], held(key)
  if (tonumber(lease[2]) or 0) <= now or lease[1] == owner then
    lease[1], lease[2] = owner, now + ARGV[1]
    redis.call('HSET', key, 'holder', owner, 'deadline', lease[2])
    redis.call('PEXPIRE', key, ARGV[1] + ARGV[2])
  end
  answers[place] = told(lease)
end
return answers
""")

# KEYS: the lease. ARGV: its owner, the outcome, how long that is kept in ms.
SETTLE: Final = scripts.script(f"""{_BEGIN}
local lease = held(KEYS[1])
if lease[1] and lease[1] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1],
  'holder', '', 'deadline', now, 'settled_by', ARGV[1], 'outcome', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""")

# KEYS: the leases.
LOOK: Final = scripts.script(f"""{_BEGIN}
local answers = {{}}
for place, key in ipairs(KEYS) do answers[place] = told(held(key)) end
return answers
""")


class RedisLeases(LeaseStore):
    """On the server of the distributed tier."""

    def __init__(self, connection: RedisConnection, names: Names) -> None:
        self._redis = connection
        self._names = names

    def take(self, wanted: Mapping[str, str], ms: int) -> dict[str, Lease]:
        """See `LeaseStore.take`: one script."""
        return self._leases(TAKE, list(wanted), [ms, KEPT_MS, *wanted.values()])

    def settle(self, name: str, owner: str, outcome: str) -> bool:
        """See `LeaseStore.settle`: one script."""
        return bool(self._run(SETTLE, [name], [owner, outcome, KEPT_MS]))

    def look(self, names: Collection[str]) -> dict[str, Lease]:
        """See `LeaseStore.look`: one script."""
        return self._leases(LOOK, list(names), [])

    def _leases(
        self, script: scripts.Script, names: Sequence[str], args: Sequence[Any]
    ) -> dict[str, Lease]:
        answers = self._run(script, names, args)
        return {name: _lease(*answer) for name, answer in zip(names, answers, strict=True)}

    def _run(self, script: scripts.Script, names: Sequence[str], args: Sequence[Any]) -> Any:
        call = scripts.Call([self._names.lease(name) for name in names], args)
        with self._redis.use() as redis:
            return scripts.run(redis, script, [call])[0]


def _lease(holder: bytes, left: int, settled_by: bytes, outcome: bytes) -> Lease:
    return Lease(_word(holder), left, _word(settled_by), _word(outcome))


def _word(raw: bytes) -> str:
    return raw.decode(errors="replace")  # others can write there, too
