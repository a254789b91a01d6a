"""OpenAI's speech API as it answers: shapes, headers and statuses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from tests.tts.vendors.server import Heard, Reply, Server, as_json
from tests.tts.vendors.sounds import sound
from tts.formats import content_type_of

KEY = "sk-0123456789abcdef0123456789abcdef"
MODELS = {"tts-1", "tts-1-hd"}
REQUIRED = {"model", "input", "voice"}
FIELDS = REQUIRED | {"instructions", "response_format", "speed", "stream_format"}
THEIRS = {"lang_code"}
"""Of other servers that speak the API."""


def server(**options: Any) -> Server:
    return Server(answer, **options)


def answer(line: socket.socket, heard: Heard) -> bool:
    return reply(heard)(line, heard)


def answer_for_any_model(line: socket.socket, heard: Heard) -> bool:
    """As servers do that have one model, whatever it is called."""
    return reply(heard, lambda model: True)(line, heard)


def reply(heard: Heard, knows: Callable[[str], bool] = MODELS.__contains__) -> Reply:
    """What is answered to a call."""
    if heard.headers.get("authorization") != f"Bearer {KEY}":
        return refusal(401, "invalid_request_error", "invalid_api_key")
    if (heard.method, heard.path) != ("POST", "/v1/audio/speech"):
        return refusal(404, "invalid_request_error", None)
    body = heard.json()
    if not REQUIRED <= set(body) <= FIELDS | THEIRS:
        return refusal(400, "invalid_request_error", "unknown_parameter")
    if not knows(body["model"]):
        return refusal(404, "invalid_request_error", "model_not_found")
    name = body.get("response_format", "mp3")
    return Reply(
        body=sound(body["input"], name, body.get("speed", 1)),
        headers={"Content-Type": content_type_of(name), "x-request-id": "req_5d2c"},
        chunk=4096,
    )


def refusal(status: int, kind: str, code: str | None, **headers: str) -> Reply:
    message = "Something about your text and your key."
    error = {"message": message, "type": kind, "param": None, "code": code}
    return as_json(status, {"error": error}, **{"x-request-id": "req_5d2c"}, **headers)


WRONG = refusal(400, "server_error", None)
QUOTA = refusal(429, "insufficient_quota", "insufficient_quota")
BUSY = refusal(429, "requests", "rate_limit_exceeded")
