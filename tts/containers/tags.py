"""What people write about a sound, before and behind it: no part of the sound."""

from __future__ import annotations

from typing import Final

from audiocache.content_types import id3_size
from tts.containers.base import BadContainer

MAX_TAGS: Final = 64
"""In one place, and places that have them."""


def behind_tags(audio: bytes, at: int) -> int:
    """The first byte behind the ID3 and APE tags that begin here."""
    for _ in range(MAX_TAGS):
        size = _tag_size(audio, at)
        if not size:
            return at
        at += size
        if at > len(audio):
            raise BadContainer("a tag is cut")
    raise BadContainer(f"more than {MAX_TAGS} tags")


def _tag_size(audio: bytes, at: int) -> int:
    """Bytes of the tag that begins here; 0: none does."""
    head = audio[at : at + 32]
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) == 32:
        return 32 + int.from_bytes(head[12:16], "little")
    return id3_size(audio, at)
