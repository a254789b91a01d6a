"""Google Cloud Text-to-Speech as it answers: JSON both ways."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any
from xml.etree import ElementTree as ET

from tests.tts.vendors.server import Heard, Reply, Server, as_json
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.telephone import telephone_wav

KEY = "AIzaSy0123456789abcdef0123456789abcdef0"
CONFIG = {
    "audioEncoding",
    "speakingRate",
    "pitch",
    "volumeGainDb",
    "sampleRateHertz",
    "effectsProfileId",
}
CODECS = {"MP3": "mp3", "LINEAR16": "wav", "PCM": "pcm", "OGG_OPUS": "opus"}
TELEPHONE = {"MULAW": "ulaw", "ALAW": "alaw"}


def server(**options: Any) -> Server:
    return Server(answer, **options)


def answer(line: socket.socket, heard: Heard) -> bool:
    return _reply(heard)(line, heard)


def _reply(heard: Heard) -> Reply:
    if (heard.method, heard.path) != ("POST", "/v1/text:synthesize"):
        return refusal(404, "NOT_FOUND")
    if heard.query or "x-goog-api-key" not in heard.headers:
        return refusal(403, "PERMISSION_DENIED")
    if heard.headers["x-goog-api-key"] != KEY:
        return refusal(400, "INVALID_ARGUMENT", "API_KEY_INVALID")
    body = heard.json()
    given, voice, config = body["input"], body["voice"], body["audioConfig"]
    assert set(body) == {"input", "voice", "audioConfig"}
    assert set(config) == CONFIG  # those left out would be anybody's
    if len(given) != 1 or not voice["name"].startswith(voice["languageCode"]):
        return refusal(400, "INVALID_ARGUMENT")
    if not 0.25 <= config["speakingRate"] <= 2 or abs(config["pitch"]) > 20:
        return refusal(400, "INVALID_ARGUMENT")
    [text] = given.values()
    if len(text.encode()) > 5000:
        return refusal(400, "INVALID_ARGUMENT")
    if "ssml" in given:
        text = "".join(ET.fromstring(text).itertext())
    return _spoken(text, config)


def _spoken(text: str, config: dict[str, Any]) -> Reply:
    encoding, speed = config["audioEncoding"], config["speakingRate"]
    if encoding in TELEPHONE:
        audio = telephone_wav(text, TELEPHONE[encoding], speed)
    else:
        audio = sound(text, f"{CODECS[encoding]}_{config['sampleRateHertz']}", speed)
    content = {"audioContent": base64.b64encode(audio).decode()}
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    return Reply(body=json.dumps(content, indent=2).encode(), headers=headers, chunk=4096)


def refusal(status: int, word: str, reason: str = "", **metadata: str) -> Reply:
    """`google.rpc.Status`; a reason comes with an ErrorInfo."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "texttospeech.googleapis.com", **metadata},
    }
    return status_of(status, word, *([info] if reason else []))


def status_of(status: int, word: str, *details: object, message: str = "Something.") -> Reply:
    error: dict[str, object] = {"code": status, "message": message, "status": word}
    return as_json(status, {"error": error | ({"details": details} if details else {})})


def limited(quota: str, *details: object) -> Reply:
    """Over a quota, such as RequestsPerMinutePerProject."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "metadata": {"quota_limit": quota, "service": "texttospeech.googleapis.com"},
    }
    message = f"Quota exceeded for quota metric 'All requests' and limit '{quota}'."
    return status_of(429, "RESOURCE_EXHAUSTED", info, *details, message=message)


QUOTA = limited("RequestsPerDayPerProject")
BUSY = limited("RequestsPerMinutePerProject")
