"""What the doctor asks of speech: is every stored clip a sound to its end?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding
from audiocache.doctor.storing import Sound, audio_of, sounds
from tts.containers import WALKERS, BadContainer
from tts.decoding import FORMATS, can_decode, decode

SHOWN: Final = 10
"""Keys in the command at most; the next look finds the others."""


def decoding(case: Case) -> Iterator[Finding]:
    """Of a sample; deep: of all. With the extra `audio` they are decoded, else walked."""
    broken = [sound.key for sound in sounds(case) if sound.provider and _is_broken(case, sound)]
    if broken:
        words = " ".join(f"--key {key}" for key in broken[:SHOWN])
        yield Finding(
            "decoding",
            f"{len(broken):,} clips of providers are no sound to their end.",
            "Their checksums are right: so they were stored, by an earlier release or by `put`.",
            f"manage.py audiocache remove {words} --yes",
        )


def _is_broken(case: Case, sound: Sound) -> bool:
    audio = audio_of(case, sound)
    return audio is not None and not decodes(audio, sound.content_type)


def decodes(audio: bytes, content_type: str) -> bool:
    """Is it whole? What has no container that is known here cannot be told."""
    walk = WALKERS.get(content_type)
    if walk is None:
        return True
    try:
        walked = walk(audio)
        if content_type in FORMATS and can_decode():
            decode(audio, walked.pieces, content_type)
    except BadContainer:
        return False
    return True
