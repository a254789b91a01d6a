"""The views in this process: in no transaction, on either handler, without CSRF."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test import AsyncClient, Client
from django.urls import resolve

from tests.tts.doubles import StubProvider
from tts.access.callers import Caller
from tts.api.problems import TABLE
from tts.api.schema import REQUEST
from tts.api.speech import aspeak, speak
from tts.conf import TTSConfig
from tts.service import TTSService, set_tts_service
from tts.speech import SpeechRequest

PAGE = (Path(__file__).parents[3] / "docs" / "http-api.md").read_text()
BODY = {"model": "stub", "voice": "alto", "input": "Hello", "response_format": "wav"}


in_transaction: list[bool] = []


def anyone(request: Any) -> Caller:
    """As somebody's TTS_AUTHENTICATION."""
    in_transaction.append(connection.in_atomic_block)
    return Caller("anyone", namespace=request.headers.get("X-Shop", ""))


@pytest.fixture
def service(cache: Any) -> Iterator[TTSService]:
    config = TTSConfig(timeout=5, authentication=f"{__name__}.anyone")
    service = TTSService(config, cache=cache, provider=StubProvider(config))
    former = set_tts_service(service)
    yield service
    set_tts_service(former)


def calls(service: TTSService) -> int:
    assert isinstance(service.provider, StubProvider)
    return len(service.provider.calls)


def asked(client: Client, **headers: str) -> Any:
    return client.post("/v1/audio/speech", BODY, "application/json", headers=headers)


def test_the_form_goes_with_the_handler() -> None:
    async def on_a_loop() -> Any:
        return resolve("/v1/audio/speech").func

    assert inspect.unwrap(resolve("/v1/audio/speech").func) is speak
    assert inspect.unwrap(asyncio.run(on_a_loop())) is aspeak


@pytest.mark.django_db
def test_a_client_with_csrf_checks_and_namespaces(service: TTSService) -> None:
    client = Client(enforce_csrf_checks=True)
    for shop in ("a", "b", "a"):
        answer = asked(client, **{"X-Shop": shop})
        assert answer.status_code == 200
        assert answer["Content-Length"] == str(len(answer.content))
    assert calls(service) == 2
    text, own = SpeechRequest("Hello", voice="alto", audio_format="wav"), service.cache
    assert own.holds(service.prepared(text, "a").clip)
    assert not own.holds(service.prepared(text, "").clip)


@pytest.mark.django_db(transaction=True)
def test_a_call_is_in_no_transaction(service: TTSService) -> None:
    """It would last as long as a provider speaks, and ASGI would refuse to."""
    database = connections["default"]
    database.settings_dict["ATOMIC_REQUESTS"] = True
    in_transaction.clear()
    try:
        assert asked(Client()).status_code == 200
        answer = asyncio.run(
            AsyncClient().post("/v1/audio/speech", BODY, content_type="application/json")
        )
        assert answer.status_code == 200
    finally:
        database.settings_dict["ATOMIC_REQUESTS"] = False
    assert in_transaction == [False, False]


# The page


def test_the_page_names_every_field_and_code() -> None:
    for field in REQUEST["properties"]:
        assert f"| `{field}` |" in PAGE
    for meaning in TABLE.values():
        assert meaning.code is None or f"`{meaning.code}`" in PAGE
        assert str(meaning.status) in PAGE
