"""Every error is OpenAI's object, with a status that makes the SDK do what can help."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import OperationalError

from tests.tts.api.test_schema import OPENAI
from tts import exceptions as speech
from tts.access.exceptions import LimitReached, NoKey
from tts.api.problems import TABLE, answer_to, error_object

OPEN = speech.BreakerOpen("closed", retry_after=4.2)
OPEN_FOR_GOOD = speech.BreakerOpen("closed", retry_after=500)
OPEN_FOR_GOOD.kind = "quota_spent"
WRONG_KEY = speech.BreakerOpen("closed", retry_after=30)
WRONG_KEY.kind = "wrong_key"


@pytest.mark.parametrize(
    ("error", "status", "again", "wait"),
    [
        (speech.RateLimited("no", retry_after=76.3), 429, True, "77"),
        (speech.RateLimited("no"), 429, True, None),
        (speech.QuotaSpent("no"), 503, False, None),
        (speech.WrongKey("no"), 503, False, None),
        (speech.ContentRefused("no"), 400, False, None),
        (speech.RequestRefused("no"), 400, False, None),
        (speech.RequestRefused("no", status=404), 404, False, None),
        (speech.ProviderDown("no"), 502, True, None),
        (speech.ConnectionFailed("no"), 502, True, None),
        (speech.ProviderTimeout("no"), 504, True, None),
        (speech.SpeechTimeout("no"), 504, True, None),
        (speech.NoPlace("no"), 504, True, None),
        (speech.NotAudio("no"), 502, False, None),
        (speech.CutAnswer("no"), 502, True, None),
        (OPEN, 503, True, "5"),
        (OPEN_FOR_GOOD, 503, False, "500"),
        (speech.NotCached("no"), 504, False, None),
        (speech.SpeechNotConfigured("no"), 503, False, None),
        (ImproperlyConfigured("no"), 503, False, None),
        (PermissionDenied("no"), 403, False, None),
        (OperationalError("no"), 503, True, None),
        (LimitReached("no", 12), 429, False, "12"),
        (NoKey("no"), 401, False, None),
    ],
)
def test_status_and_retry(error: Exception, status: int, again: bool, wait: str | None) -> None:
    answer = answer_to(error)
    assert answer.status_code == status
    assert (answer.headers.get("x-should-retry") is None) is again
    assert answer.headers.get("Retry-After") == wait


@pytest.mark.parametrize("kind", [kind for kind in TABLE if issubclass(kind, speech.ProviderError)])
def test_no_message_of_a_provider_is_repeated(
    kind: type[speech.ProviderError], caplog: pytest.LogCaptureFixture
) -> None:
    body = answer_to(kind("a text and sk-key")).content.decode()
    assert "sk-key" not in body + caplog.text


@pytest.mark.parametrize("error", [NoKey("no"), speech.InvalidSpeechRequest("text", "is wrong")])
def test_the_object_is_openais(error: Exception) -> None:
    said = error_object(error)
    assert jsonschema_rs.is_valid(OPENAI["error_response"], json.loads(json.dumps(said)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OPEN, "provider_down"),
        (OPEN_FOR_GOOD, "provider_quota_spent"),
        (WRONG_KEY, "provider_access"),
    ],
)
def test_an_open_breaker_tells_what_opened_it(error: Exception, code: str) -> None:
    answer = answer_to(error)
    assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (503, code)


def test_who_was_not_called_for_is_not_told_that_it_is_stored() -> None:
    assert "stored" in error_object(speech.SpeechTimeout("no"))["error"]["message"]
    assert "stored" not in error_object(speech.NoPlace("no"))["error"]["message"]


def test_fields_have_their_names_over_http() -> None:
    said = error_object(speech.InvalidSpeechRequest("audio_format", "must be mp3"))["error"]
    assert said["param"] == "response_format"
    assert said["message"] == "Invalid 'response_format': it must be mp3."


def test_what_is_no_fault_of_the_client_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    answer_to(NoKey("no"))
    assert caplog.text == ""
    answer_to(OperationalError("no"))
    assert "code=database error=OperationalError" in caplog.text
