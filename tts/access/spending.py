"""A day's characters: set aside before a provider is asked, given back where nothing was paid.

So all processes together never speak more than the limit. What is stored costs nothing, and
neither does another caller's call that is joined.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tts.access.callers import Caller
from tts.access.exceptions import LimitReached
from tts.access.models import ApiKey
from tts.exceptions import NoPlace, SpeechTimeout
from tts.prepared import Prepared
from tts.service import TTSService
from tts.speech import PROVIDER, Speech
from tts.streaming import AsyncSpeechStream, SpeechStream
from tts.wishes import Wishes


class Spending:
    """What one request takes of its caller's day."""

    def __init__(
        self, caller: Caller, service: TTSService, prepared: Prepared, wishes: Wishes
    ) -> None:
        self._service = service
        self._wishes = wishes
        self._prepared = prepared
        self._key_id = caller.key_id if caller.is_limited else None
        self._day: date | None = None
        """When characters were set aside; None: there are none."""

    def begin(self) -> None:
        """Set the text's characters aside, unless its clip is there. Raises LimitReached."""
        if self._key_id is None or self._is_free():
            return
        now = datetime.now(UTC)
        if not ApiKey.objects.set_aside(self._key_id, self._characters, now.date()):
            raise LimitReached("the day's limit of characters is reached", _until_tomorrow(now))
        self._day = now.date()

    def _is_free(self) -> bool:
        """It is there, in this format or in one that this is made of; or none is to be made."""
        if self._wishes.only_if_cached:
            return True
        if self._wishes.no_cache:
            return False
        there = self._service.cache.holds(self._prepared.clip)
        return there or self._service.renditions.costs_nothing(self._prepared)

    def settle(self, heard: SpeechStream | AsyncSpeechStream | Speech) -> None:
        """The first piece is there: was it paid for?"""
        speech = heard if isinstance(heard, Speech) else heard.speech
        paid = not heard.joined if speech is None else _was_paid(speech.tier, speech.joined)
        if not paid:
            self._give_back()

    def fail(self, error: Exception) -> None:
        """There is no speech. A call that comes too late goes on, and is taken to be paid for."""
        if isinstance(error, NoPlace) or not isinstance(error, SpeechTimeout):
            self._give_back()

    def _give_back(self) -> None:
        day, self._day = self._day, None
        if day is not None and self._key_id is not None:
            ApiKey.objects.give_back(self._key_id, self._characters, day)

    @property
    def _characters(self) -> int:
        return len(self._prepared.clip.text or "")


def _was_paid(tier: str, joined: bool) -> bool:
    return tier == PROVIDER and not joined


def _until_tomorrow(now: datetime) -> float:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return (midnight - now).total_seconds()
