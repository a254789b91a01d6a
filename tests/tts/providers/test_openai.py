"""The OpenAI API keeps the contract, and its errors mean what they should."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.tts.providers.contract import SENTENCE
from tests.tts.providers.paid import OptionContract
from tests.tts.vendors import openai as vendor
from tests.tts.vendors.server import Server, as_json
from tts.conf import TTSConfig
from tts.exceptions import (
    ContentRefused,
    InvalidSpeechRequest,
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers.base import Provider
from tts.providers.openai import OpenAIProvider


class TestOpenAIProvider(OptionContract):
    provider_class = OpenAIProvider
    config: ClassVar = {"model": "tts-1"}
    vendor: ClassVar = vendor
    path = "/v1/"
    options: ClassVar = {
        "extra_body": ({}, {"options": {"extra_body": {"lang_code": "b"}}}),
        "in extra_body": (
            {"options": {"extra_body": {"lang_code": {"a": 1, "b": None}}}},
            {"options": {"extra_body": {"lang_code": {"a": 2}}}},
        ),
        "instructions": ({}, {"instructions": "Softly."}),
        "speed": ({}, {"speed": 1.25}),
        "voice": ({}, {"voice": "nova"}),
        "model": ({}, {"model": "tts-1-hd"}),
    }
    same: ClassVar = [
        ({}, {"options": {"extra_body": {"lang_code": None}}}),
        (
            {"options": {"extra_body": {"lang_code": {"x": 1.0, "y": None}}}},
            {"options": {"extra_body": {"lang_code": {"x": 1}}}},
        ),
        ({}, {"language": "en", "instructions": " "}),
    ]

    def test_all_that_changes_the_sound_is_sent(self, provider: Provider, server: Server) -> None:
        self.speak(provider, self.request(provider, instructions="Slowly.", speed=0.5))
        [heard] = server.heard
        assert heard.json() == {
            "model": "tts-1",
            "input": SENTENCE,
            "voice": "alloy",
            "response_format": "mp3",
            "speed": 0.5,
            "instructions": "Slowly.",
        }
        assert heard.headers["authorization"] == f"Bearer {vendor.KEY}"

    def test_a_voice_may_be_an_id(self, provider: Provider, server: Server) -> None:
        given: Any = {"id": "voice_12"}
        request = self.request(provider, voice=given)
        assert request.voice == "id:voice_12"
        assert provider.complete(request) == request
        assert self.request(provider, voice="id:voice_12").key == request.key
        self.speak(provider, request)
        assert server.heard[0].json()["voice"] == given

    @pytest.mark.parametrize("voice", [{"id": 7}, {"id": ""}, {"name": "x"}, {"id": "a", "b": 1}])
    def test_a_voice_is_nothing_else(self, provider: Provider, voice: Any) -> None:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, voice=voice)
        assert caught.value.field == "voice"

    def test_a_missing_model_names_the_setting(self) -> None:
        provider = OpenAIProvider(TTSConfig(api_key="k"))
        with pytest.raises(InvalidSpeechRequest, match="TTS_MODEL"):
            self.request(provider)

    def test_another_server_may_take_more_fields(self, server: Server) -> None:
        extra = {"lang_code": "b"}
        config = TTSConfig(model="m", base_url=server.url, options={"extra_body": extra})
        provider = OpenAIProvider(config)
        plain = OpenAIProvider(TTSConfig(model="m", base_url=server.url))
        assert self.request(provider).source_key != self.request(plain).source_key
        with pytest.raises(WrongKey):
            self.speak(provider, self.request(provider))
        [heard] = server.heard
        assert heard.json()["lang_code"] == "b"
        assert "authorization" not in heard.headers
        provider.close()

    @pytest.mark.parametrize("inner", [{"x": float("nan")}, {"x": object()}, {"x": (1,)}])
    def test_what_no_key_can_hold_is_named(self, provider: Provider, inner: Any) -> None:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, options={"extra_body": {"deep": inner}})
        assert caught.value.field == "options.extra_body.deep.x"

    @pytest.mark.parametrize("extra", [7, {"input": "x"}, {"voice": "x"}, {7: 1}])
    def test_more_fields_are_not_ours(self, provider: Provider, extra: Any) -> None:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, options={"extra_body": extra})
        assert caught.value.field == "options.extra_body"

    def test_without_a_server_of_ones_own_it_needs_a_key(self) -> None:
        with pytest.raises(SpeechNotConfigured, match="TTS_API_KEY"):
            OpenAIProvider(TTSConfig(provider="openai", model="m"))

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (vendor.QUOTA, QuotaSpent),
            (vendor.refusal(429, "insufficient_quota", None), QuotaSpent),
            (vendor.BUSY, RateLimited),
            (vendor.refusal(401, "invalid_request_error", "invalid_api_key"), WrongKey),
            (vendor.refusal(400, "x", "content_policy_violation"), ContentRefused),
            (vendor.refusal(404, "x", "model_not_found"), RequestRefused),
            (vendor.refusal(500, "server_error", None), ProviderDown),
            (vendor.WRONG, RequestRefused),  # a 4xx is final
            (as_json(400, {"error": {"code": SENTENCE, "type": 7}}), RequestRefused),
            (as_json(400, {"error": SENTENCE}), RequestRefused),
            (as_json(400, [SENTENCE]), RequestRefused),
        ],
    )
    def test_its_errors_mean_what_they_say(
        self, provider: Provider, server: Server, reply: Any, kind: type[ProviderError]
    ) -> None:
        server.next.append(reply)
        with pytest.raises(ProviderError) as caught:
            self.speak(provider, self.request(provider))
        assert type(caught.value) is kind
        assert (caught.value.provider, caught.value.status) == ("openai", reply.status)
        assert SENTENCE not in str(caught.value)
