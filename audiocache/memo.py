"""A bounded memory of clips already named, so that a hit hashes no text."""

from __future__ import annotations

from typing import Final

from audiocache.entries import Clip
from audiocache.keys import clip_of

MAX_CLIPS: Final = 4096
MAX_TEXT: Final = 4096
"""Characters of a text and its variant; longer ones are named anew each time."""
MAX_CHARACTERS: Final = 4_000_000
"""Of all texts and variants remembered."""


class ClipMemo:
    """`(text, namespace, variant)` to `Clip`. Safe under threads: each step is one dict call."""

    def __init__(self) -> None:
        self._clips: dict[object, Clip] = {}
        self._latest: dict[str, tuple[dict[str, object], str, Clip]] = {}
        """What was last asked for of a text, in a variant of plain str."""
        self._characters = 0

    def clip(self, text: str, namespace: str, variant: dict[str, object]) -> Clip:
        """The clip of this text; raises TypeError or ValueError like `clip_of`."""
        # To compare two dicts costs a third of what it costs to make a key of one. Only text
        # equals text here: of numbers 1 == 1.0 == True, and a translation that waits for its
        # language equals its text, and is refused.
        try:
            known, known_namespace, clip = self._latest[text]
        except (KeyError, TypeError):
            return self._clip(text, namespace, variant)
        if known == variant and known_namespace == namespace:
            for value in variant.values():
                if type(value) is not str:
                    break
            else:
                return clip
        return self._clip(text, namespace, variant)

    def _clip(self, text: str, namespace: str, variant: dict[str, object]) -> Clip:
        # The types tell True from 1, which are equal as dict keys; 1 and 1.0 are one variant.
        question = (text, namespace, *variant.items(), *map(type, variant.values()))
        try:
            clip = self._clips.get(question)
        except TypeError:  # a list or dict in the variant cannot be remembered
            return clip_of(text, variant, namespace)
        if clip is None:
            clip = clip_of(text, variant, namespace)
            self._remember(question, clip, len(text) + len(clip.variant))
        if question in self._clips and all(type(value) is str for value in variant.values()):
            self._latest[text] = dict(variant), namespace, clip
        return clip

    def _remember(self, question: object, clip: Clip, characters: int) -> None:
        if characters > MAX_TEXT:
            return
        self._characters += characters
        if len(self._clips) >= MAX_CLIPS or self._characters > MAX_CHARACTERS:
            self._clips.clear()
            self._latest.clear()
            self._characters = characters
        self._clips[question] = clip
