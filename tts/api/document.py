"""The OpenAPI document, and a page that shows it: both open to all, and without a script."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from tts.access.callers import CATALOGUE, SPEECH
from tts.api.problems import TABLE
from tts.api.schema import FORMATS, REQUEST
from tts.formats import content_type_of

NAMED: Final = "#/components/schemas/"
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list_of(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": _object(**properties)}


_ERROR: Final = _object(
    error=_object(message=_TEXT, type=_TEXT, param=_TEXT_OR_NULL, code=_TEXT_OR_NULL)
)
_USAGE: Final = _object(input_tokens=_COUNT, output_tokens=_COUNT, total_tokens=_COUNT)
_JSON_OF_EVENT: Final = _TEXT | {
    "contentMediaType": "application/json",
    "contentSchema": {
        "anyOf": [
            _object(
                type={"const": "speech.audio.delta"}, audio={**_TEXT, "contentEncoding": "base64"}
            ),
            _object(type={"const": "speech.audio.done"}, usage=_USAGE),
            _ERROR,
        ]
    },
}


SCHEMAS: Final[dict[str, Any]] = {
    "CreateSpeechRequest": REQUEST,
    "ErrorResponse": _ERROR,
    "SpeechEvent": _object(data=_JSON_OF_EVENT) | {"description": "One event of the stream."},
    "ModelList": _object(
        object={"const": "list"},
        data=_list_of(
            id=_TEXT, object={"const": "model"}, created={"type": "integer"}, owned_by=_TEXT
        ),
    ),
    "VoiceList": _object(
        voices=_list_of(id=_TEXT, name=_TEXT, languages={"type": "array", "items": _TEXT})
    ),
}


def _json_of(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": NAMED + name}}}


@cache
def _errors() -> dict[str, Any]:
    """One answer by status, with the codes that it may have."""
    codes: dict[int, list[str]] = {}
    for meaning in TABLE.values():
        codes.setdefault(meaning.status, []).append(meaning.code or "no key")
    return {
        str(status): {
            "description": ", ".join(dict.fromkeys(codes[status])),
            "content": _json_of("ErrorResponse"),
        }
        for status in sorted(codes)
    }


def _operation(scope: str, summary: str, **more: Any) -> dict[str, Any]:
    return {"operationId": summary.split(maxsplit=1)[0].lower(), "summary": summary,
            "security": [{"key": [scope]}], **more}  # fmt: skip


def _speech() -> dict[str, Any]:
    sound = {content_type_of(name): {"schema": _TEXT} for name in FORMATS}
    # In OpenAPI 3.1 the schema of a stream is that of each event.
    events = {"text/event-stream": {"schema": {"$ref": NAMED + "SpeechEvent"}}}
    return _operation(
        SPEECH,
        "Speak a text: found in the cache, else made once and heard while it is made.",
        requestBody={"required": True, "content": _json_of("CreateSpeechRequest")},
        responses={"200": {"description": "The sound.", "content": sound | events}} | _errors(),
    )


def _listing(summary: str, name: str) -> dict[str, Any]:
    found = {"200": {"description": "The list.", "content": _json_of(name)}}
    return _operation(CATALOGUE, summary, responses=found | _errors())


def described() -> dict[str, Any]:
    """OpenAPI 3.1, with the addresses that the routes have on this site."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Speech", "version": "1"},
        "paths": {
            reverse("tts:speech"): {"post": _speech()},
            reverse("tts:voices"): {"get": _listing("Voices to choose from.", "VoiceList")},
            reverse("tts:models"): {"get": _listing("Models to choose from.", "ModelList")},
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


@require_safe
def document(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """openapi.json."""
    return JsonResponse(described())


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """For people."""
    endpoint = request.build_absolute_uri(reverse("tts:speech"))
    errors = [(status, answer["description"]) for status, answer in _errors().items()]
    shown = {"fields": _fields(), "errors": errors, "endpoint": endpoint}
    found = render(request, "tts/api.html", shown)
    found["Content-Security-Policy"] = _PAGE_POLICY
    return found


def _fields() -> list[dict[str, Any]]:
    return [
        {"name": name, "required": name in REQUEST["required"], "limits": _limits(field),
         "about": field.get("description", "")}
        for name, field in REQUEST["properties"].items()
    ]  # fmt: skip


def _limits(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(field["enum"])
    if "maximum" in field:
        return f"{field['minimum']} to {field['maximum']}"
    if "anyOf" in field:
        return 'a name, or {"id": ...}'
    return f"at most {field['maxLength']} characters"
