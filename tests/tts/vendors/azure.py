"""Azure Speech as it answers: it takes SSML alone, and parses it."""

from __future__ import annotations

import socket
from typing import Any
from xml.etree import ElementTree as ET

from tests.tts.vendors.server import Heard, Reply, Server
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.telephone import telephone_wav
from tts.formats import content_type_of
from tts.providers.azure import FORMATS

KEY = "0123456789abcdef0123456789abcdef"
SSML = "{http://www.w3.org/2001/10/synthesis}"
MSTTS = "{https://www.w3.org/2001/mstts}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
VOICES = {"en-US-JennyNeural", "de-DE-KatjaNeural", "zh-CN-XiaoxiaoNeural"}
NAMES = {wire: name for name, wire in FORMATS.items()}


def server(**options: Any) -> Server:
    return Server(answer, **options)


def answer(line: socket.socket, heard: Heard) -> bool:
    return _reply(heard)(line, heard)


def _reply(heard: Heard) -> Reply:
    if heard.headers.get("ocp-apim-subscription-key") != KEY:
        return refusal(401, b"")
    if (heard.method, heard.path, heard.query) != ("POST", "/cognitiveservices/v1", {}):
        return refusal(404, b"Resource not found")
    if heard.headers.get("content-type") != "application/ssml+xml":
        return refusal(415, b"Unsupported media type")
    name = NAMES.get(heard.headers.get("x-microsoft-outputformat", ""))
    if name is None or not heard.headers.get("user-agent"):
        return refusal(400, b"Unsupported output format")
    return _spoken(heard.body, name)


def _spoken(body: bytes, name: str) -> Reply:
    try:
        speak = ET.fromstring(body)
    except ET.ParseError:
        return refusal(400, b"SSML is no XML")
    voice = speak.find(f"{SSML}voice")
    if speak.tag != f"{SSML}speak" or not speak.get("version") or not speak.get(LANG):
        return refusal(400, b"speak is incomplete")
    if voice is None or voice.get("name") not in VOICES:
        return refusal(400, b"Unsupported voice")
    prosody = speak.find(f".//{SSML}prosody")
    speed = float(prosody.get("rate", "1")) if prosody is not None else 1
    return Reply(
        body=_sound("".join(speak.itertext()), name, speed),
        headers={"Content-Type": content_type_of(name), "X-RequestId": "9f1c"},
        chunk=4096,
    )


def _sound(text: str, name: str, speed: float) -> bytes:
    if name.startswith("wav_8000_"):
        return telephone_wav(text, name.rpartition("_")[2], speed)
    return sound(text, name, speed)


def spoken(heard: Heard) -> str:
    """The text of a document, as an XML parser reads it."""
    return "".join(ET.fromstring(heard.body).itertext())


def refusal(status: int, body: bytes, **headers: str) -> Reply:
    return Reply(status, body, {"X-RequestId": "9f1c", **headers})


QUOTA = refusal(
    403,
    b'{"error":{"code":"403","message": "Out of call volume quota for SpeechServices F0 pricing '
    b'tier. Quota will be replenished in 11.04:21:59."}}',
)
BUSY = refusal(429, b'{"error":{"code":"429","message":"Rate limit is exceeded."}}')
