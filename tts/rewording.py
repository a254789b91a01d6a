"""A request in the words of another provider: what only the first one knows is left out."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

from tts.exceptions import InvalidSpeechRequest
from tts.formats import codec_of, format_for
from tts.providers.base import Provider
from tts.speech import SpeechRequest
from tts.transcoding import is_made_here

GIVEN_UP: Final = ("language", "speed", "instructions", "voice", "model")
"""What falls to the other provider's default where it cannot honour it."""

HEADERLESS: Final = ("pcm", "ulaw", "alaw")
"""Codecs whose bytes do not say their sample rate: the listener has to know it."""


def reworded(
    request: SpeechRequest, complete: SpeechRequest, first: Provider, other: Provider
) -> SpeechRequest:
    """The request, complete for the other provider; `complete` is what the first made of it.

    Raises InvalidSpeechRequest where it would not be the sound that was asked for: in another
    format or sample rate, or SSML read aloud.
    """
    found = _completed(_wish(request, complete, first, other), other)
    _check_rate(complete, found)
    return found


def _completed(wish: SpeechRequest, provider: Provider) -> SpeechRequest:
    try:
        return provider.complete(wish)
    except InvalidSpeechRequest as error:
        if error.field not in GIVEN_UP or getattr(wish, error.field) is None:
            raise
        default: dict[str, Any] = {error.field: None}
    return _completed(dataclasses.replace(wish, **default), provider)


def _wish(
    request: SpeechRequest, complete: SpeechRequest, first: Provider, other: Provider
) -> SpeechRequest:
    theirs = other.config
    # Only the same vendor, by another account or server, knows its names.
    names = complete if other.name == first.name else SpeechRequest("")
    return SpeechRequest(
        request.text,
        voice=None if theirs.voice else names.voice,
        model=None if theirs.model else names.model,
        audio_format=_format(request, complete, first, other),
        speed=request.speed,
        language=request.language or (None if theirs.language else complete.language),
        instructions=request.instructions,
        ssml=request.ssml,
        sample_rate=request.sample_rate,
        options={} if theirs.options else names.options,
        voice_revision=None if theirs.voice_revision else names.voice_revision,
    )


def _format(
    request: SpeechRequest, complete: SpeechRequest, first: Provider, other: Provider
) -> str | None:
    """What was asked for stays; what nobody named stays where it can. None: its default."""
    if request.audio_format is None and other.config.format:
        return None
    wanted = complete.audio_format or ""
    asked = request.audio_format or first.config.format
    found = wanted if wanted in other.formats else format_for(codec_of(wanted), other.formats)
    if found or not asked:
        return found
    if is_made_here(codec := codec_of(wanted)):
        return codec
    formats = ", ".join(other.formats)
    raise InvalidSpeechRequest("audio_format", f"must be one of {formats}, not {wanted!r}")


def _check_rate(complete: SpeechRequest, found: SpeechRequest) -> None:
    rates = _rate(complete), _rate(found)
    if _is_headerless(found) and all(rates) and rates[0] != rates[1]:
        raise InvalidSpeechRequest("sample_rate", f"must be {rates[1]}, not {rates[0]}")


def _is_headerless(request: SpeechRequest) -> bool:
    return codec_of(request.audio_format or "") in HEADERLESS


def _rate(request: SpeechRequest) -> int | None:
    """Hz, as far as the request or the name of its format says."""
    named = re.search(r"_(\d+)", request.audio_format or "")
    return request.sample_rate or (int(named[1]) if named else None)
