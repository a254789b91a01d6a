"""A sound that is heard in another format than the provider sends, while it comes."""

from __future__ import annotations

from audiocache.streams import Broadcast
from tts.exceptions import NotAudio
from tts.incremental import Incremental
from tts.transcoding import CannotTranscode, Shape


class Rendering:
    """Takes what a provider sends, and lets another format of it be heard on a broadcast.

    It never disturbs a call that is paid for: what cannot be made as it comes is made of the
    whole, for those who have heard nothing yet.
    """

    def __init__(self, broadcast: Broadcast, source: Shape, wanted: Shape) -> None:
        self._broadcast = broadcast
        self._shapes = source, wanted
        self._begin()

    def _begin(self) -> None:
        self._making: Incremental | None = Incremental(*self._shapes)
        self._is_heard = False

    def send(self, piece: bytes) -> None:
        """See `tts.relay.Heard`."""
        if self._making is None:
            return
        try:
            self._pass_on(self._making.take(piece))
        except CannotTranscode:
            self._making = None

    def rewind(self) -> bool:
        """See `tts.relay.Heard`."""
        if not self._broadcast.rewind():
            return False
        self._begin()
        return True

    def end(self) -> bytes | None:
        """The whole of what was heard, its end sent; None: nobody heard a byte.

        Raises NotAudio where it broke off after somebody could hear it.
        """
        try:
            rest, whole = self._making.end() if self._making else (b"", b"")
        except CannotTranscode:
            rest = whole = b""
        if self._is_heard and not whole:
            raise NotAudio("what came could be played to a part only; it is kept")
        self._pass_on(rest)
        return whole or None

    def admit(self) -> None:
        """It was found good: whoever has heard all of it waits for nothing more."""
        self._broadcast.whole = True

    def _pass_on(self, made: bytes) -> None:
        if made:
            self._is_heard = True
            self._broadcast.send(made)
