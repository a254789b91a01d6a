"""From a token to whom it stands for. What was found is believed for a second.

While the site's database fails it is believed for a minute: what is cached goes on to be heard.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from hmac import compare_digest
from typing import Final, NamedTuple

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from tts.access.callers import Caller
from tts.access.exceptions import KeyExpired, WrongApiKey
from tts.access.last_use import last_use
from tts.access.models import ApiKey
from tts.access.tokens import digest_of, prefix_of

BELIEVED_SECONDS: Final = 1.0
"""So soon every process notices that a key was revoked."""
BLIND_SECONDS: Final = 60.0
"""How long a key opens that was known when the database broke down."""
MOST: Final = 10_000
"""Keys that are remembered."""


class _Known(NamedTuple):
    caller: Caller
    until: float
    """By the clock, in seconds."""
    blind_until: float
    """The same while the database fails."""


class Keys:
    """Keys by the digest of their tokens. Safe under threads: each step is one dict call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def at_hand(self, token: str) -> Caller | None:
        """Whom it stands for, without a query; None: nobody knows now."""
        known = self._known.get(digest_of(token))
        if known is None or known.until <= self._clock():
            return None
        return _noted(known.caller)

    def find(self, token: str) -> Caller:
        """See `at_hand`; the table is asked where need be. Raises WrongApiKey."""
        return self.at_hand(token) or self._asked(token)

    def _asked(self, token: str) -> Caller:
        try:
            return self._look_up(token)
        except WrongApiKey:
            # Revoked, removed or over: it opens no more, also while the database fails.
            self._known.pop(digest_of(token), None)
            raise
        except (DatabaseError, InterfaceError):
            known = self._known.get(digest_of(token))
            if known is None or known.blind_until <= self._clock():
                raise
        return _noted(known.caller)

    def _look_up(self, token: str) -> Caller:
        asked, digest = self._clock(), digest_of(token)
        prefix = prefix_of(token)
        row = ApiKey.objects.filter(prefix=prefix, revoked=None).first() if prefix else None
        if row is None or not compare_digest(row.digest, digest):
            raise WrongApiKey("the API key is not known")
        if row.has_expired(timezone.now()):
            raise KeyExpired("the API key has expired")
        left = _left(row)
        until, blind_until = (asked + min(n, left) for n in (BELIEVED_SECONDS, BLIND_SECONDS))
        self._remember(digest, _Known(row.caller(), until, blind_until))
        return _noted(row.caller())

    def _remember(self, digest: str, known: _Known) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[digest] = known


def _left(row: ApiKey) -> float:
    """Seconds of its time."""
    if row.expires is None:
        return math.inf
    return (row.expires - timezone.now()) / timedelta(seconds=1)


def _noted(caller: Caller) -> Caller:
    if caller.key_id is not None:
        last_use.note(caller.key_id)
    return caller


keys: Final = Keys()
