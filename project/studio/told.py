"""What the studio tells of a speech, beside its sound."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from audiocache.clock import now_ms
from tts.api.problems import meaning_of
from tts.budget import USD
from tts.cache_status import cache_status
from tts.exceptions import TTSError
from tts.formats import codec_of
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest

ENDPOINT: Final = "/v1/audio/speech"


def told(url: str, speech: Speech, ms: float) -> dict[str, Any]:
    """For the page."""
    return {
        "url": url,
        "tier": speech.tier,
        "cacheStatus": cache_status(speech, now_ms()),
        "milliseconds": round(ms, 1),
        "seconds": speech.duration,
        "bytes": len(speech.audio),
        "money": money(speech),
    }


def why_not(error: TTSError) -> str:
    """A sentence for people, in the words of the API."""
    message = meaning_of(error).message or str(error)
    return f"{message[:1].upper()}{message[1:]}{'' if message.endswith('?') else '.'}"


def money(speech: Speech) -> str:
    """What this answer cost, or what it would have."""
    if speech.cost is None:
        return "its price is not known"
    if not speech.cost:
        return "costs nothing: the voice is this machine's own"
    amount = f"{speech.cost / USD:.6f}".rstrip("0").rstrip(".")
    return f"cost {amount} USD" if speech.paid else f"saved {amount} USD"


def as_curl(service: TTSService, request: SpeechRequest, site: str) -> str:
    """The same speech by the API, as a line for a shell; the key is not in it."""
    complete = service.complete(request)
    codec = codec_of(complete.audio_format or "")
    body = {
        "model": complete.model or complete.provider,
        "input": request.text,
        "voice": complete.voice,
        "response_format": codec,
        "speed": complete.speed,
    }
    given = {name: value for name, value in body.items() if value is not None}
    words = shlex.quote(json.dumps(given, ensure_ascii=False))
    return (
        f"curl {shlex.quote(site + ENDPOINT)} \\\n"
        '  -H "Authorization: Bearer $SPEECH_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {words} -o speech.{codec}"
    )
