"""A broken answer is not paid for at every request: a refusal is remembered by source key.

For ten minutes first, doubled at each further refusal up to a day; over all processes, in the
cache's own database. When that cannot say, there is simply no memory (law 3). An answer that the
network cut is remembered for seconds: enough for a herd, and its bytes are kept for people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from audiocache.belonging import Belongings
from audiocache.cache import MultiTierAudioCache
from audiocache.circuit import Circuit
from audiocache.clock import DAY_MS, Clock, now_ms, utc
from audiocache.conf import CacheConfig
from audiocache.content_types import UNKNOWN
from audiocache.entries import Clip, Recording
from audiocache.exceptions import TierError
from audiocache.refused import Refusal, RefusedTable, row_of
from tts.exceptions import CutAnswer, NotAudio
from tts.quarantine import NOTHING, Limits, described

FIRST_MS: Final = 600_000
LONGEST_MS: Final = DAY_MS
CUT_MS: Final = 10_000
FORGIVEN_MS: Final = 7 * DAY_MS
"""A refusal so long after the last one's time counts as the first."""
BELIEVED_MS: Final = 30_000
"""A refusal that this process knows is believed so long without a query: a person may have
accepted or discarded it elsewhere."""
MAX_KNOWN: Final = 4096

T = TypeVar("T")


class _Known(NamedTuple):
    refusal: Refusal
    believed_until: int


class Refusals:
    """The memory of one cache. Never raises anything but a remembered NotAudio."""

    def __init__(
        self, config: CacheConfig, limits: Limits | None = None, clock: Clock = now_ms
    ) -> None:
        self._table = RefusedTable.of(config)
        self._store_text = config.store_text
        self._limits = Limits.load() if limits is None else limits
        self._clock = clock
        self._circuit = Circuit("refusals")
        self._known: dict[str, _Known] = {}

    def guarded(
        self,
        clip: Clip,
        make: Callable[[], Recording],
        name: str = "",
        tags: Collection[str] = (),
    ) -> Recording:
        """What `make` gives, unless a refusal is remembered; remembers and forgets by it.

        `name` is for an account of its own among those who make the clip. By its `tags` the
        refused answer is erased.
        """
        named = replace(clip, source_key=name) if name else clip
        try:
            self.check(named.source_key)
            recording = make()
        except NotAudio as error:
            self.note(named, error, keep=named.source_key == clip.source_key, tags=tags)
            raise
        if named.source_key in self._known:
            self.forget(named.source_key)
        return recording

    def check(self, source_key: str) -> None:
        """Raise NotAudio while a refusal is remembered: at most one query, none when known."""
        refusal = self._refusal(source_key)
        if refusal is not None and refusal.until > self._clock():
            raise _remembered(refusal)

    def note(
        self, clip: Clip, error: NotAudio, *, keep: bool = True, tags: Collection[str] = ()
    ) -> None:
        """Remember a refusal, and keep its bytes for people; `error` then says until when.

        They are not to `keep` where they could not be stored as what the clip's own name says.
        """
        if error.until is not None:  # It was remembered, not refused anew.
            self.tag(clip.source_key, tags)
            return
        now = self._clock()
        refusal = following(self._refusal(clip.source_key), now, error)
        self._remember(clip.source_key, refusal)
        error.since, error.until = utc(refusal.since), utc(refusal.until)
        recording = replace(error.recording or NOTHING, tags=tuple(tags))
        self._ask(lambda table: self._save(table, clip, recording, refusal, wanted=keep))

    def tag(self, source_key: str, tags: Collection[str]) -> None:
        """Have what is remembered of it found by these, too: it may have their subject's text."""
        if tags:
            self._ask(lambda table: table.add_tags(source_key, tags))

    def forget(self, source_key: str) -> None:
        """Let the provider be asked again, and give up the refused bytes."""
        self._known.pop(source_key, None)
        self._ask(lambda table: table.forget([source_key]))

    # Inside

    def _refusal(self, source_key: str) -> Refusal | None:
        known, now = self._known.get(source_key), self._clock()
        if known is not None and (now < known.believed_until or self._table is None):
            return known.refusal
        found = self._ask(lambda table: [table.find(source_key)])
        if found is None:  # There is no telling.
            return known.refusal if known else None
        if found[0] is None:
            self._known.pop(source_key, None)
        else:
            self._remember(source_key, found[0])
        return found[0]

    def _remember(self, source_key: str, refusal: Refusal) -> None:
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[source_key] = _Known(refusal, self._clock() + BELIEVED_MS)

    def _save(
        self,
        table: RefusedTable,
        clip: Clip,
        recording: Recording,
        refusal: Refusal,
        *,
        wanted: bool,
    ) -> None:
        refused = described(recording)
        now, store_text = self._clock(), self._store_text
        # What is no audio may be a message that repeats the text.
        may_keep = wanted and (store_text or refused.content_type != UNKNOWN)
        keep = may_keep and self._limits.take(len(refused.audio))
        table.save(row_of(clip, refused, refusal, now, keep=keep, store_text=store_text))
        table.trim(self._limits.max_clips, self._limits.max_bytes, now)

    def _ask(self, question: Callable[[RefusedTable], T]) -> T | None:
        """None when there is no table, or it is in trouble."""
        if self._table is None or not self._circuit.allows():
            return None
        try:
            answer = question(self._table)
        except TierError as error:
            self._circuit.failed(error)
            return None
        self._circuit.worked()
        return answer


def following(before: Refusal | None, now: int, error: NotAudio) -> Refusal:
    """What is remembered of a refusal after the one before."""
    if before is not None and before.until > now:
        return before  # Another process has noted it meanwhile.
    reason = str(error)
    if before is None or now > before.until + FORGIVEN_MS:
        before = Refusal(now, now, 0, reason, error.provider)
    if isinstance(error, CutAnswer):
        return before._replace(until=now + CUT_MS, reason=reason, provider=error.provider)
    span = min(LONGEST_MS, FIRST_MS << min(before.times, 16))
    return Refusal(before.since, now + span, before.times + 1, reason, error.provider)


def _remembered(refusal: Refusal) -> NotAudio:
    since, until = utc(refusal.since), utc(refusal.until)
    error = NotAudio(
        f"{refusal.reason} (refusal {refusal.times or 1}, "
        f"the first at {since:%Y-%m-%d %H:%M:%S} UTC; "
        f"the provider is not asked again before {until:%Y-%m-%d %H:%M:%S} UTC)",
        provider=refusal.provider,
    )
    error.since, error.until = since, until
    return error


# Of the caches of this process


_of_caches: Belongings[MultiTierAudioCache, Refusals] = Belongings()


def refusals_of(cache: MultiTierAudioCache, limits: Limits | None = None) -> Refusals:
    """The memory that goes with a cache; `limits` count where it is made now."""
    return _of_caches.of(cache, lambda: Refusals(cache.config, limits))
