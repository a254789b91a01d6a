"""Sound that is still coming: one making writes, many read, each from the beginning.

Nobody waits for a reader: what came is kept until the making has landed and the last reader
has left. Threads and tasks wait for the same future, the channel's next turn.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Final
from weakref import WeakValueDictionary

from audiocache.entries import AudioEntry
from audiocache.forks import renew_in_child

PIECE: Final = 65_536
"""Bytes; the longest piece that a reader gets."""


class Turn(Future[None]):
    """Done at the next change of a channel, for all who wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._in_loops: dict[asyncio.AbstractEventLoop, asyncio.Future[None]] = {}
        # Running from the start: a waiter cannot cancel it for the others.
        self.set_running_or_notify_cancel()

    def awaited(self) -> asyncio.Future[None]:
        """For a task: a loop is woken once, however many of its tasks wait."""
        loop = asyncio.get_running_loop()
        mine = self._in_loops.get(loop)
        if mine is None:
            mine = self._in_loops[loop] = asyncio.wrap_future(self)
        return asyncio.shield(mine)


class Channel:
    """Where the listeners of one clip wait; at most one broadcast is on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = Turn()
        self.broadcast: Broadcast | None = None
        """The making that can be heard now."""

    @property
    def turn(self) -> Turn:
        """Done at the next change. Who looks for a change takes it before it looks."""
        return self._turn

    def stir(self, _: object = None) -> None:
        """Wake all who wait. May be given to a future as its callback."""
        with self._lock:
            turn, self._turn = self._turn, Turn()
        turn.set_result(None)

    def begin(self, broadcast: Broadcast) -> None:
        """It can be heard from now on."""
        with self._lock:
            self.broadcast = broadcast

    def end(self, broadcast: Broadcast) -> None:
        """It can be heard no more by those who come now; another that has begun can."""
        with self._lock:
            if self.broadcast is broadcast:
                self.broadcast = None


class Broadcast:
    """What one making has sent so far. Safe under one writer and many readers.

    It goes on its channel with its first bytes, and leaves it when the making has landed:
    whoever listens meanwhile hears it from the beginning.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._sound = bytearray()
        self._heard = False
        self.whole = False
        """Has all of it been sent, and found good?"""
        self.outcome: Future[AudioEntry] | None = None
        """The flight of the making, landed; None while it may still send."""

    def send(self, piece: bytes) -> None:
        """Let all who listen hear these bytes, too. Waits for no reader."""
        with self._lock:
            self._sound += piece
        self._channel.begin(self)
        self._channel.stir()

    def read(self, position: int) -> bytes:
        """At most PIECE of what was sent from a position on; empty: it has not come yet."""
        with self._lock:
            piece = bytes(self._sound[position : position + PIECE])
            self._heard = self._heard or bool(piece)
        return piece

    def rewind(self) -> bool:
        """Forget what was sent, for another attempt; False when somebody has heard of it."""
        with self._lock:
            if not self._heard:
                self._sound.clear()
            return not self._heard

    def land(self, outcome: Future[AudioEntry]) -> None:
        """The flight has landed: nothing more will come. The callback of its future."""
        self.outcome = outcome
        self._channel.end(self)
        self._channel.stir()


class Channels:
    """The channels of a cache by key; one is there for as long as somebody holds it."""

    def __init__(self) -> None:
        self.after_fork()
        renew_in_child(self)

    def of(self, key: str) -> Channel:
        """The channel of a clip."""
        with self._lock:
            channel = self._channels.get(key)
            if channel is None:
                channel = self._channels[key] = Channel()
            return channel

    def after_fork(self) -> None:
        """Start anew: in a forked child nobody sends on these."""
        self._lock = threading.Lock()
        self._channels: WeakValueDictionary[str, Channel] = WeakValueDictionary()


def pieces_of(audio: bytes) -> Iterator[bytes]:
    """Audio in pieces of at most PIECE."""
    for start in range(0, len(audio), PIECE):
        yield audio[start : start + PIECE]
