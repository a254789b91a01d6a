"""When each key was used last: remembered, and written by the pulse, as reads do not write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.db import connections, router

from audiocache.forks import renew_in_child
from audiocache.pulse import pulse
from tts.access.models import ApiKey

FLUSH_SECONDS: Final = 30.0
BATCH: Final = 250
"""Keys in one statement."""


class LastUse:
    """Instants by key. Safe under threads: each step is one dict call."""

    def __init__(self) -> None:
        self._used: dict[int, datetime] = {}
        self._scheduled = False
        renew_in_child(self)

    def after_fork(self) -> None:
        """What the parent remembers, it writes itself."""
        self._used = {}

    def note(self, key_id: int) -> None:
        """It is used now."""
        self._used[key_id] = datetime.now(UTC)
        if not self._scheduled:
            self._scheduled = True
            pulse.every(FLUSH_SECONDS, self.beat)
        pulse.ensure()

    def beat(self) -> None:
        """Write down, and hold no connection until the next time."""
        if not self._used:
            return
        try:
            self.flush()
        finally:
            if pulse.is_here():
                connections[router.db_for_write(ApiKey)].close()

    def flush(self) -> None:
        """Write what was noted since the last time; what fails is kept for the next."""
        written = dict(self._used)
        keys = [ApiKey(pk=key_id, last_used=used) for key_id, used in written.items()]
        ApiKey.objects.bulk_update(keys, ["last_used"], batch_size=BATCH)
        for key_id, used in written.items():
            if self._used.get(key_id) is used:
                self._used.pop(key_id, None)


last_use: Final = LastUse()
