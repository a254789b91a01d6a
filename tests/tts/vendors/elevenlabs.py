"""ElevenLabs as it answers: shapes, headers and statuses."""

from __future__ import annotations

import socket
from typing import Any

from tests.tts.vendors.server import Heard, Reply, Server, as_json
from tests.tts.vendors.sounds import sound
from tts.formats import content_type_of

KEY = "xi-0123456789abcdef0123456789abcdef"
VOICES = {"JBFqnCBsd6RMkjVDRZzb", "21m00Tcm4TlvDq8ikWAM"}
SETTINGS = {"stability", "similarity_boost", "style", "use_speaker_boost", "speed"}
FIELDS = {
    "text",
    "model_id",
    "language_code",
    "voice_settings",
    "seed",
    "previous_text",
    "next_text",
    "apply_text_normalization",
    "pronunciation_dictionary_locators",
}


def server(**options: Any) -> Server:
    return Server(answer, **options)


def answer(line: socket.socket, heard: Heard) -> bool:
    return _reply(heard)(line, heard)


def _reply(heard: Heard) -> Reply:
    if heard.headers.get("xi-api-key") != KEY:
        return refusal(401, "invalid_api_key")
    if heard.method != "POST" or not heard.path.startswith("/v1/text-to-speech/"):
        return refusal(404, "not_found")
    if heard.path.removesuffix("/stream").rpartition("/")[2] not in VOICES:
        return refusal(404, "voice_not_found")
    body = heard.json()
    if not (set(body) <= FIELDS and {"text", "voice_settings"} <= set(body)):
        return as_json(422, {"detail": [{"loc": ["body"], "msg": "extra", "type": "extra"}]})
    assert set(body["voice_settings"]) == SETTINGS  # those left out would be anybody's
    name = heard.query["output_format"]
    return Reply(
        body=sound(body["text"], name, body["voice_settings"]["speed"]),
        headers={
            "Content-Type": content_type_of(name),
            "character-cost": str(len(body["text"])),
            "request-id": "req-7f3a",
            "current-concurrent-requests": "1",
            "maximum-concurrent-requests": "5",
        },
        chunk=4096,
    )


def refusal(status: int, word: str, **headers: str) -> Reply:
    detail = {"status": word, "message": "Something about your text and your key."}
    return as_json(status, {"detail": detail}, **{"request-id": "req-7f3a"}, **headers)


QUOTA = refusal(401, "quota_exceeded")
BUSY = refusal(429, "too_many_concurrent_requests")
