"""Everything that can go wrong, as OpenAI's error object: one table of statuses.

The official SDK raises its typed errors by the status, and asks again by itself for 408, 409,
429 and 5xx, unless `x-should-retry` is false: it is, wherever asking again cannot help.
No message of a provider is repeated: it may hold a text or a key.
"""

from __future__ import annotations

import logging
import math
from typing import Any, Final, NamedTuple

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import DatabaseError, InterfaceError
from django.http import JsonResponse

from tts import exceptions as speech
from tts.access import exceptions as access
from tts.api.exceptions import (
    Refused,
    TooLarge,
    UnknownModel,
    WrongBody,
    WrongMediaType,
    WrongMethod,
)
from tts.attempts import outcome_of
from tts.breaker import ACCOUNT

logger = logging.getLogger(__name__)

WRONG: Final = "invalid_request_error"
SERVER: Final = "server_error"


class Meaning(NamedTuple):
    """What an error is over HTTP."""

    status: int
    type: str
    code: str | None
    message: str | None = None
    """None: the error's own, which is for whoever asks."""
    again: bool = False
    """May asking again help?"""


TABLE: Final[dict[type[Exception], Meaning]] = {
    WrongBody: Meaning(400, WRONG, "invalid_value"),
    TooLarge: Meaning(413, WRONG, "request_too_large"),
    WrongMediaType: Meaning(415, WRONG, "unsupported_media_type"),
    UnknownModel: Meaning(404, WRONG, "model_not_found"),
    WrongMethod: Meaning(405, WRONG, "method_not_allowed"),
    access.NoKey: Meaning(401, WRONG, None),
    access.WrongApiKey: Meaning(401, WRONG, "invalid_api_key"),
    access.KeyExpired: Meaning(401, WRONG, "expired_api_key"),
    access.MissingScope: Meaning(403, WRONG, "insufficient_permissions"),
    access.AccessRefused: Meaning(401, WRONG, "access_refused"),
    access.AuthenticationBroken: Meaning(500, SERVER, "authentication_failed"),
    access.LimitReached: Meaning(429, "insufficient_quota", "daily_limit_reached"),
    PermissionDenied: Meaning(403, WRONG, "access_refused", "access was refused"),
    speech.InvalidSpeechRequest: Meaning(400, WRONG, "invalid_value"),
    speech.ContentRefused: Meaning(
        400, WRONG, "content_policy_violation", "the provider will not speak this content"
    ),
    speech.RequestRefused: Meaning(
        400, WRONG, "provider_refused", "the provider finds the request wrong: voice or model?"
    ),
    speech.FormatNotMade: Meaning(
        400, WRONG, "unsupported_format", "it is there in another format, and this one is not made"
    ),
    speech.RateLimited: Meaning(
        429, "requests", "rate_limit_exceeded", "the provider is asked too often", again=True
    ),
    speech.QuotaSpent: Meaning(503, SERVER, "provider_quota_spent", "there is no speech now"),
    speech.WrongKey: Meaning(503, SERVER, "provider_access", "there is no speech now"),
    speech.BreakerOpen: Meaning(
        503, SERVER, "provider_down", "the provider fails and is not asked now", again=True
    ),
    speech.NotAudio: Meaning(
        502, SERVER, "not_audio", "no sound came of it: is there anything to say in the text?"
    ),
    speech.CutAnswer: Meaning(
        502, SERVER, "provider_failed", "the provider's answer was cut", again=True
    ),
    speech.ProviderTimeout: Meaning(
        504, SERVER, "provider_timeout", "the provider was too slow", again=True
    ),
    speech.ProviderError: Meaning(
        502, SERVER, "provider_failed", "the provider did not speak", again=True
    ),
    speech.NoPlace: Meaning(
        504, SERVER, "timeout", "too many calls were under way, and none was made", again=True
    ),
    speech.SpeechTimeout: Meaning(
        504, SERVER, "timeout", "it took too long, and is stored when it comes", again=True
    ),
    speech.BudgetSpent: Meaning(
        429, "insufficient_quota", "insufficient_quota", "the budget for speech is spent"
    ),
    speech.NotCached: Meaning(504, SERVER, "not_cached", "it is not stored, and none is made now"),
    speech.TTSError: Meaning(503, SERVER, "speech_failed", "there is no speech now"),
    ImproperlyConfigured: Meaning(503, SERVER, "not_configured", "speech is not set up here"),
    DatabaseError: Meaning(503, SERVER, "database", "the site's database fails", again=True),
    InterfaceError: Meaning(503, SERVER, "database", "the site's database fails", again=True),
}
NOT_FOUND: Final = 404
NOT_THERE: Final = Meaning(
    NOT_FOUND, WRONG, "model_not_found", "the provider has no such model or voice"
)
PROBLEMS: Final[tuple[type[Exception], ...]] = (Refused, access.AccessRefused, *TABLE)
"""What is caught."""

PARAMS: Final = {"text": "input", "audio_format": "response_format"}
"""Names of our fields in the request, where they differ."""

_OF_THE_ACCOUNT: Final = {outcome_of(kind("")): TABLE[kind] for kind in ACCOUNT.kinds}
"""What a breaker means that such a call has opened."""


def meaning_of(error: Exception) -> Meaning:
    """The row of the nearest class."""
    if isinstance(error, speech.BreakerOpen) and error.kind in _OF_THE_ACCOUNT:
        return _OF_THE_ACCOUNT[error.kind]
    if isinstance(error, speech.RequestRefused) and error.status == NOT_FOUND:
        return NOT_THERE
    if isinstance(error, speech.SpeechNotConfigured):
        return TABLE[ImproperlyConfigured]
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def error_object(error: Exception) -> dict[str, Any]:
    """OpenAI's, with all of its four fields."""
    meaning = meaning_of(error)
    message, param, code = meaning.message or str(error), None, meaning.code
    if isinstance(error, Refused):
        message, param, code = error.message, error.param, error.code or code
    elif isinstance(error, speech.InvalidSpeechRequest):
        param = PARAMS.get(error.field, error.field)
        message = f"Invalid '{param}': it {error.limit}."
    return {"error": {"message": message, "type": meaning.type, "param": param, "code": code}}


def answer_to(error: Exception) -> JsonResponse:
    """The error over HTTP; what is no fault of the client's is logged, by its kind alone."""
    meaning = meaning_of(error)
    if meaning.status >= 500:
        logger.warning("no speech code=%s error=%s", meaning.code, type(error).__name__)
    answer = JsonResponse(error_object(error), status=meaning.status)
    if not meaning.again:
        answer["x-should-retry"] = "false"
    if meaning.status == 401:
        answer["WWW-Authenticate"] = "Bearer"
    if isinstance(error, WrongMethod):
        answer["Allow"] = error.allowed
    if (seconds := getattr(error, "retry_after", None)) is not None:
        answer["Retry-After"] = str(math.ceil(seconds))
    return answer
