"""The verbs on text: each names its clip and hands on to the verb on clips."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from audiocache.at_hand import AtHand
from audiocache.conf import CacheConfig
from audiocache.entries import (
    AudioEntry,
    Clip,
    Recording,
    Ttl,
    life_from,
)
from audiocache.fields import as_audio, as_content_type, as_tags
from audiocache.memo import ClipMemo
from audiocache.sharing import SHARED, Sharing

Audio = bytes | bytearray | memoryview
Created = Audio | Recording
"""What a `create` function may return."""

Pairs = Iterable[tuple[str, Audio]] | Mapping[str, Audio]
"""(text, audio) pairs, or a mapping of text to audio."""

_PUT_OPTIONS: Final = frozenset({"content_type", "ttl_seconds", "tags"})


class TextVerbs(ABC):
    """get, put, has, remove and the rest, on text and variant.

    Any further keyword is part of the variant: whatever changes the sound. All raise
    TypeError or ValueError, naming the parameter, for what cannot be a key.
    """

    config: CacheConfig

    def __init__(self) -> None:
        self._memo = ClipMemo()

    def get(self, text: str, /, *, namespace: str = "", **variant: Any) -> bytes | None:
        """The audio of a fresh entry, or None."""
        clip = self._memo.clip(text, namespace, variant)
        # Here, too: one call more is a twentieth of a hit in memory.
        entry = self.at_hand(clip) or self.find_below(clip)
        return None if entry is None else entry.audio

    def get_entry(self, text: str, /, *, namespace: str = "", **variant: Any) -> AudioEntry | None:
        """The fresh entry with all that is known of it, or None."""
        return self.find(self._memo.clip(text, namespace, variant))

    def has(self, text: str, /, *, namespace: str = "", **variant: Any) -> bool:
        """Is a fresh entry there? Fills nothing and counts nothing."""
        return self.holds(self._memo.clip(text, namespace, variant))

    def put(self, text: str, audio: Audio, /, *, namespace: str = "", **options: Any) -> str:
        """Store audio under text and variant; the key, 64 hex characters, always.

        Options: `content_type` (None: told from the bytes), `ttl_seconds` (None: the
        configured life; FOREVER; or seconds above 0), `tags`; all others are the variant.
        """
        [(clip, recording)] = self._named([(text, audio)], namespace, options)
        return self.store(clip, recording).key

    def remove(
        self, text: str, /, *, namespace: str = "", all_variants: bool = False, **variant: Any
    ) -> bool:
        """Remove this variant with its renditions, or all variants; True when one was there."""
        clip = self._memo.clip(text, namespace, variant)
        return self.discard(clip, all_variants=all_variants)

    def get_or_create(
        self, text: str, create: Callable[[], Created], /, *, namespace: str = "", **options: Any
    ) -> bytes:
        """The audio; on a miss `create()` makes it once, however many ask.

        Runs `create` in the calling thread; its error is raised to all who waited for it.
        Options as for `put`.
        """
        how, variant = split_options(options)
        clip = self._memo.clip(text, namespace, variant)
        return self.find_or_create(clip, lambda: recording_of(create(), **how)).audio

    def get_many(
        self, texts: Iterable[str], /, *, namespace: str = "", **variant: Any
    ) -> dict[str, bytes]:
        """Audio by text for those that are fresh: one round trip per tier."""
        clips = self._clips(texts, namespace, variant)
        return audio_by_text(clips, self.find_many(clips.values()))

    def _clips(
        self, texts: Iterable[str], namespace: str, variant: dict[str, Any]
    ) -> dict[str, Clip]:
        return {text: self._memo.clip(text, namespace, variant) for text in texts}

    def put_many(self, pairs: Pairs, /, *, namespace: str = "", **options: Any) -> list[str]:
        """Store many clips of one variant, one round trip per tier; their keys in order."""
        return [entry.key for entry, _ in self.store_many(self._named(pairs, namespace, options))]

    def warm_cache(self, pairs: Pairs, /, *, namespace: str = "", **options: Any) -> int:
        """Store many clips; how many a tier took. 0 when warming is switched off."""
        if not self.config.enable_warming:
            return 0
        stored = self.store_many(self._named(pairs, namespace, options))
        return len({entry.key for entry, taken in stored if taken})

    def clip(self, text: str, /, *, namespace: str = "", **variant: Any) -> Clip:
        """The clip that a text verb with these arguments is about."""
        return self._memo.clip(text, namespace, variant)

    # The verbs on clips, which these stand on

    at_hand: AtHand
    """The fresh entry of a clip from memory, or None."""

    @abstractmethod
    def find_below(self, clip: Clip) -> AudioEntry | None:
        """The fresh entry from the tiers that may block."""

    @abstractmethod
    def find(self, clip: Clip) -> AudioEntry | None:
        """The fresh entry of a clip, or None; counted in each tier that was asked."""

    @abstractmethod
    def find_many(self, clips: Iterable[Clip]) -> dict[str, AudioEntry]:
        """Fresh entries by key."""

    @abstractmethod
    def find_or_create(
        self, clip: Clip, create: Callable[[], Recording], sharing: Sharing = SHARED
    ) -> AudioEntry:
        """The entry of a clip; on a miss `create()`, in this thread, makes it once."""

    @abstractmethod
    def holds(self, clip: Clip) -> bool:
        """Is a fresh entry of the clip in any tier?"""

    @abstractmethod
    def store(self, clip: Clip, recording: Recording) -> AudioEntry:
        """Store a recording in every tier; the entry, also when no tier could take it."""

    @abstractmethod
    def store_many(
        self, recorded: Iterable[tuple[Clip, Recording]]
    ) -> list[tuple[AudioEntry, int]]:
        """Store recordings; each entry with the number of tiers that took it."""

    @abstractmethod
    def discard(self, clip: Clip, *, all_variants: bool = False) -> bool:
        """Remove a clip and the renditions made of it, or every variant of its text."""

    # Inside

    def _named(
        self, pairs: Pairs, namespace: str, options: dict[str, Any]
    ) -> list[tuple[Clip, Recording]]:
        how, variant = split_options(options)
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        return [
            (self._memo.clip(text, namespace, variant), recording_of(audio, **how))
            for text, audio in items
        ]


def audio_by_text(clips: Mapping[str, Clip], found: Mapping[str, AudioEntry]) -> dict[str, bytes]:
    """The audio of those that were found."""
    return {text: found[clip.key].audio for text, clip in clips.items() if clip.key in found}


def split_options(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a put, and the variant. A wrong one is told before anything is paid for."""
    how = {name: options[name] for name in _PUT_OPTIONS if name in options}
    if how:
        life_from(0, recording_of(b"", **how).ttl_seconds, default_ms=0, stale_ms=0)
    return how, {name: value for name, value in options.items() if name not in how}


def recording_of(
    created: Created,
    *,
    content_type: str | None = None,
    ttl_seconds: Ttl = None,
    tags: Iterable[str] = (),
) -> Recording:
    """Audio with what is said of it; a Recording says it itself.

    Raises TypeError or ValueError that names the field.
    """
    if isinstance(created, Recording):
        return replace(created, audio=as_audio(created.audio))
    return Recording(
        audio=as_audio(created),
        content_type=as_content_type(content_type),
        ttl_seconds=ttl_seconds,
        tags=as_tags(tags),
    )
