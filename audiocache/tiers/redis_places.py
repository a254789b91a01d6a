"""Places in Redis: a sorted set of owners by when they leave, beside a limit and a pause."""

from __future__ import annotations

from collections.abc import Collection

from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.places import FORGET_MS, PlaceStore
from audiocache.tiers.redis_connection import RedisConnection
from audiocache.tiers.redis_names import Names

_ALLOWED = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function allowed(name, most, creep_ms)
  local narrowed = redis.call('HMGET', name, 'limit', 'since')
  if not (narrowed[1] and narrowed[2]) then return tonumber(most) end
  local creep = 0
  if narrowed[2] ~= '' then
    creep = math.floor((now - tonumber(narrowed[2])) / tonumber(creep_ms))
  end
  return math.min(tonumber(most), tonumber(narrowed[1]) + creep)
end
"""

# KEYS: the owners; the narrowed limit, a hash. ARGV: limit, owner, ms, creep_ms.
TAKE = scripts.script(
    _ALLOWED
    + """
local limit = allowed(KEYS[2], ARGV[1], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= limit then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
if redis.call('PTTL', KEYS[1]) < ARGV[3] + 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
"""
)

# KEYS: the owners. ARGV: ms, owners. They are added where the server forgot them: they do call.
EXTEND = scripts.script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for place = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[place]) end
if redis.call('PTTL', KEYS[1]) < ARGV[1] + 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return 1
""")

# KEYS: the narrowed limit. ARGV: limit, FORGET_MS, 1 where it is firm: since no instant, then.
NARROW = scripts.script("""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'limit', ARGV[1], 'since', ARGV[3] == '1' and '' or now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
""")

# KEYS: the narrowed limit. ARGV: the most, FORGET_MS, creep_ms.
LOWER = scripts.script(
    _ALLOWED
    + """
local limit = math.max(1, allowed(KEYS[1], ARGV[1], ARGV[3]) - 1)
redis.call('HSET', KEYS[1], 'limit', limit, 'since', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
)

# KEYS: the pause. ARGV: ms.
PAUSE = scripts.script("""
if redis.call('PTTL', KEYS[1]) < ARGV[1] + 0 then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
return 1
""")


class RedisPlaces(PlaceStore):
    """Shared by all hosts on one server."""

    def __init__(self, redis: RedisConnection, names: Names) -> None:
        self._redis = redis
        self._names = names

    def take(self, name: str, limit: int, owner: str, ms: int) -> bool:
        """One round trip."""
        keys = [self._name(name, "owners"), self._name(name, "limit")]
        return bool(self._run(TAKE, keys, [limit, owner, ms, self.creep_ms]))

    def extend(self, name: str, owners: Collection[str], ms: int) -> bool:
        """One round trip."""
        return bool(self._run(EXTEND, [self._name(name, "owners")], [ms, *owners]))

    def give_back(self, name: str, owner: str) -> bool:
        """One round trip."""
        with self._redis.use() as redis:
            return bool(redis.zrem(self._name(name, "owners"), owner))

    def narrow(self, name: str, limit: int, *, firm: bool = False) -> bool:
        """One round trip."""
        return bool(self._run(NARROW, [self._name(name, "limit")], [limit, FORGET_MS, int(firm)]))

    def lower(self, name: str, most: int) -> bool:
        """One round trip."""
        args: list[int | str] = [most, FORGET_MS, self.creep_ms]
        return bool(self._run(LOWER, [self._name(name, "limit")], args))

    def pause(self, name: str, ms: int) -> bool:
        """One round trip."""
        return bool(self._run(PAUSE, [self._name(name, "pause")], [ms]))

    def paused(self, name: str) -> int:
        """One round trip."""
        with self._redis.use() as redis:
            return max(0, int(redis.pttl(self._name(name, "pause"))))

    def _name(self, name: str, part: str) -> str:
        return self._names.place(name, part)

    def _run(self, script: scripts.Script, keys: list[str], args: list[int | str]) -> int:
        with self._redis.use() as redis:
            answer: int
            [answer] = scripts.run(redis, script, [scripts.Call(keys, args)])
        return answer
