"""A making that is heard while it lasts: the pieces of a provider go to a broadcast.

What begins like a message goes nowhere: it is read to its end, and refused there.
"""

from __future__ import annotations

from typing import Protocol

from audiocache.entries import Recording
from tts.admission import HEAD, begins_well
from tts.deadline import Deadline
from tts.exceptions import ConnectionFailed, CutAnswer
from tts.providers.base import Provider
from tts.speech import SpeechRequest


class Heard(Protocol):
    """Where the pieces go: a broadcast, or what makes another format of them for one."""

    def send(self, piece: bytes) -> None:
        """The next piece. Returns at once, whoever listens, and raises nothing."""

    def rewind(self) -> bool:
        """Forget what was sent, for another attempt; False when somebody has heard of it."""


class Relay:
    """Asks a provider for a stream, and passes it on."""

    def __init__(self, provider: Provider, broadcast: Heard) -> None:
        self._provider = provider
        self._broadcast = broadcast

    def ask(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        """See `Provider.stream`. What is cut under way is a ConnectionFailed.

        Nobody asks again by himself for a sound that was heard, so there is no second
        answer to tell a broken line from a broken clip: it is not remembered as refused.
        """
        try:
            return self._provider.stream(request, deadline, Gate(self._broadcast, request).take)
        except CutAnswer as error:
            if self._broadcast.rewind():
                raise
            cut = ConnectionFailed(str(error), provider=error.provider, status=error.status)
            cut.billed_units = error.billed_units
        raise cut

    def may_repeat(self) -> bool:
        """May the provider be asked again? Not for what somebody has heard of."""
        return self._broadcast.rewind()


class Gate:
    """Lets pieces through once their beginning is that of the sound asked for."""

    def __init__(self, broadcast: Heard, request: SpeechRequest) -> None:
        self._broadcast = broadcast
        self._request = request
        self._held = bytearray()
        self._opens: bool | None = None

    def take(self, piece: bytes) -> None:
        """The next piece."""
        if self._opens is None:
            self._held += piece
            if len(self._held) < HEAD:
                return
            piece = bytes(self._held)
            self._held.clear()
            self._opens = begins_well(piece[:HEAD], self._request)
        if self._opens:
            self._broadcast.send(piece)
