"""Amazon Polly as it answers: the signature is worked out here from the published rules alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

from tests.tts.vendors.server import Heard, Reply, Server, as_json
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.vorbis import vorbis

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = f"{ACCESS_KEY}:{SECRET}"
REGION = "eu-central-1"
VOICES = {"Joanna", "Matthew", "Aditi"}
ENGINES = {"standard", "neural", "long-form", "generative"}
REQUIRED = {"Engine", "LexiconNames", "OutputFormat", "SampleRate", "Text", "TextType", "VoiceId"}
CODECS = {"mp3": "mp3", "ogg_opus": "opus", "pcm": "pcm", "mulaw": "ulaw", "alaw": "alaw"}
TYPES = {"mp3": "audio/mpeg", "pcm": "audio/pcm", "mulaw": "audio/mulaw", "alaw": "audio/alaw"}
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


def server(**options: Any) -> Server:
    return Server(answer, **options)


def answer(line: socket.socket, heard: Heard) -> bool:
    return _reply(heard)(line, heard)


def _reply(heard: Heard) -> Reply:
    if "authorization" not in heard.headers:
        return refusal(403, "MissingAuthenticationTokenException")
    if not is_signed(heard):
        return refusal(403, "InvalidSignatureException")
    if (heard.method, heard.path, heard.query) != ("POST", "/v1/speech", {}):
        return refusal(404, "UnknownOperationException")
    body = heard.json()
    if not REQUIRED <= set(body) <= REQUIRED | {"LanguageCode"}:
        return refusal(400, "ValidationException")
    if body["VoiceId"] not in VOICES or body["Engine"] not in ENGINES:
        return refusal(400, "EngineNotSupportedException")
    return _spoken(body)


def _spoken(body: dict[str, Any]) -> Reply:
    text, speed = body["Text"], 1.0
    if len(text) > 6000:
        return refusal(400, "TextLengthExceededException")
    if body["TextType"] == "ssml":
        speak = ET.fromstring(text)
        prosody = speak.find("prosody")
        speed = float(prosody.get("rate", "")[:-1]) / 100 if prosody is not None else 1
        text = "".join(speak.itertext())
    if len(text) > 3000:
        return refusal(400, "TextLengthExceededException")
    codec = body["OutputFormat"]
    headers = {
        "Content-Type": TYPES.get(codec, "audio/ogg"),
        "x-amzn-RequestCharacters": str(len(text)),
        "x-amzn-RequestId": "5d2c-7f3a",
    }
    # The tones know no slower pace.
    audio = _sound(text, codec, int(body["SampleRate"]), max(speed, 0.25))
    return Reply(body=audio, headers=headers, chunk=4096)


def _sound(text: str, codec: str, rate: int, speed: float) -> bytes:
    if codec == "ogg_vorbis":
        return vorbis(text, rate, speed)
    return sound(text, f"{CODECS[codec]}_{rate}", speed)


def is_signed(heard: Heard) -> bool:
    """Is this call signed with SECRET, for this service and region, now?"""
    said = _AUTHORIZATION.fullmatch(heard.headers["authorization"])
    sent = datetime.strptime(heard.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if said is None or abs(datetime.now(UTC) - sent) > timedelta(minutes=5):
        return False
    key_id, day, region, service, names, signature = said.groups()
    if (key_id, region, service) != (ACCESS_KEY, REGION, "polly"):
        return False
    assert {"host", "content-type", "x-amz-date"} <= set(names.split(";"))
    return hmac.compare_digest(signature, _signature(heard, day, names))


def _signature(heard: Heard, day: str, names: str) -> str:
    canonical = "\n".join(
        [
            heard.method,
            heard.path,
            "",
            *(f"{name}:{' '.join(heard.headers[name].split())}" for name in names.split(";")),
            "",
            names,
            hashlib.sha256(heard.body).hexdigest(),
        ]
    )
    scope = f"{day}/{REGION}/polly/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{heard.headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def refusal(status: int, kind: str, **headers: str) -> Reply:
    said = {"x-amzn-ErrorType": f"{kind}:http://internal.amazon.com/coral/com.amazon.polly/"}
    message = {"message": "Something about your text."}
    return as_json(status, message, **{"x-amzn-RequestId": "5d2c-7f3a"}, **said, **headers)


BUSY = refusal(400, "ThrottlingException")
QUOTA = refusal(402, "ServiceQuotaExceededException")
