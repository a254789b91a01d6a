"""redis-py's pool with what it gave kept at hand: there, taking and leaving one is a third of
what a small look-up costs.

No more callers come than the pool has connections (`RedisConnection`), so what is kept here is
missing to nobody. One that is new, or not as before, goes the pool's way.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from audiocache.forks import renew_in_child


class KeptConnections:
    """A pool of redis-py's, for its client; the connection used last is used next."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """The parent's connections are not the child's; the pool notices that by itself."""
        self._idle: deque[Any] = deque()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def get_connection(self) -> Any:
        """One that is ready. Raises Redis' errors."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._pool.get_connection()
        if connection.is_as_before():
            return connection
        # By itself the pool goes on with what was not read yet, where the server may tell news.
        connection.disconnect()
        self._pool.release(connection)
        return self._pool.get_connection()

    def release(self, connection: Any) -> None:
        """Keep it, if it is open still."""
        if connection.is_open():
            self._idle.append(connection)
        else:
            self._pool.release(connection)

    def disconnect(self, inuse_connections: bool = True) -> None:
        """As a pool's."""
        while self._idle:
            self._pool.release(self._idle.pop())
        self._pool.disconnect(inuse_connections=inuse_connections)


def keeping(pool: Any) -> Any:
    """The pool, behind kept connections where nobody but their user decides when they end.

    Sentinel's pool closes those that lead to a former primary, and a provider of credentials has
    those that are idle log in again.
    """
    decided = hasattr(pool, "sentinel_manager") or pool.connection_kwargs.get("credential_provider")
    return pool if decided else KeptConnections(pool)
