"""ElevenLabs keeps the contract, sends every setting, and its errors mean what they should."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.tts.providers.contract import SENTENCE
from tests.tts.providers.paid import OptionContract
from tests.tts.vendors import elevenlabs as vendor
from tests.tts.vendors.server import Server, as_json
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import (
    InvalidSpeechRequest,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers.base import Provider
from tts.providers.elevenlabs import ElevenLabsProvider


class TestElevenLabsProvider(OptionContract):
    provider_class = ElevenLabsProvider
    vendor: ClassVar = vendor
    options: ClassVar = {
        **{
            name: ({}, {"options": {name: value}})
            for name, value in {
                "stability": 0.4,
                "similarity_boost": 0.4,
                "style": 0.4,
                "use_speaker_boost": False,
                "seed": 1,
                "previous_text": "a",
                "next_text": "a",
                "apply_text_normalization": "off",
                "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "a"}],
            }.items()
        },
        "another seed": ({"options": {"seed": 0}}, {"options": {"seed": 2}}),
        "speed": ({}, {"speed": 1.1}),
        "voice": ({}, {"voice": "21m00Tcm4TlvDq8ikWAM"}),
        "model": ({}, {"model": "eleven_flash_v2_5"}),
        "language": ({}, {"language": "en"}),
    }
    same: ClassVar = [
        ({"options": {"seed": 3}}, {"options": {"seed": 3.0, "style": None}}),
        ({"speed": 1}, {"speed": 1.0}),
    ]

    def test_every_voice_setting_is_sent(self, provider: Provider, server: Server) -> None:
        self.speak(provider, self.request(provider, speed=1.1, options={"stability": 0.3}))
        [heard] = server.heard
        assert heard.path == "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb"
        assert heard.query == {"output_format": "mp3_44100_128"}
        assert heard.json() == {
            "text": SENTENCE,
            "model_id": "eleven_multilingual_v2",
            "voice_settings": {
                "stability": 0.3,
                "similarity_boost": 0.75,
                "style": 0,
                "use_speaker_boost": True,
                "speed": 1.1,
            },
            "apply_text_normalization": "auto",
        }

    def test_a_stream_is_the_same_call_elsewhere(self, provider: Provider, server: Server) -> None:
        request = self.request(provider)
        pieces: list[bytes] = []
        streamed = provider.stream(request.spoken(), Deadline.after(30), pieces.append)
        whole = self.speak(provider, request)
        first, second = server.heard
        assert first.path == f"{second.path}/stream"
        assert (first.query, first.body) == (second.query, second.body)
        assert (streamed.audio, streamed.billed_units) == (whole.audio, whole.billed_units)
        assert len(pieces) > 1

    def test_what_else_is_asked_for_is_sent(self, provider: Provider, server: Server) -> None:
        options = {
            "seed": 7,
            "previous_text": "Before.",
            "next_text": "After.",
            "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "d1"}],
        }
        self.speak(provider, self.request(provider, language="en", options=options))
        body = server.heard[0].json()
        assert {name: body[name] for name in options} == options
        assert body["language_code"] == "en"

    def test_the_key_stands_in_its_header_alone(self, provider: Provider, server: Server) -> None:
        self.speak(provider, self.request(provider))
        [heard] = server.heard
        assert heard.headers.pop("xi-api-key") == vendor.KEY
        assert vendor.KEY not in repr(heard)

    def test_the_vendor_says_what_is_billed(self, provider: Provider, server: Server) -> None:
        assert self.speak(provider, self.request(provider)).billed_units == len(SENTENCE)

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"options": {"stability": 1.1}}, "options.stability"),
            ({"options": {"style": True}}, "options.style"),
            ({"options": {"use_speaker_boost": 1}}, "options.use_speaker_boost"),
            ({"options": {"seed": -1}}, "options.seed"),
            ({"options": {"seed": 1.5}}, "options.seed"),
            ({"options": {"previous_text": 3}}, "options.previous_text"),
            ({"options": {"next_text": "x" * 10_001}}, "options.next_text"),
            ({"options": {"apply_text_normalization": "si"}}, "options.apply_text_normalization"),
            (
                {"options": {"pronunciation_dictionary_locators": [{"version_id": "1"}]}},
                "options.pronunciation_dictionary_locators",
            ),
            ({"voice": "../../voices"}, "voice"),
            ({"voice": ".."}, "voice"),
            ({"model": "eleven_v3", "text": "x" * 3_001}, "text"),
        ],
    )
    def test_a_wrong_option_is_named(
        self, provider: Provider, fields: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, **fields)
        assert caught.value.field == field

    def test_the_limit_is_that_of_the_model(self, provider: Provider) -> None:
        self.request(provider, model="eleven_flash_v2_5", text="x" * 40_000)

    @pytest.mark.parametrize(
        ("short", "name"),
        [("mp3", "mp3_44100_128"), ("ulaw", "ulaw_8000"), ("pcm", "pcm_24000")],
    )
    def test_a_codec_alone_is_its_first_format(
        self, provider: Provider, short: str, name: str
    ) -> None:
        given = self.request(provider, audio_format=short)
        assert given.audio_format == name
        assert given.key == self.request(provider, audio_format=name).key

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (vendor.QUOTA, QuotaSpent),
            (vendor.BUSY, RateLimited),
            (vendor.refusal(429, "system_busy"), RateLimited),
            (vendor.refusal(401, "invalid_api_key"), WrongKey),
            (vendor.refusal(404, "voice_not_found"), RequestRefused),
            (as_json(422, {"detail": [{"msg": SENTENCE}]}), RequestRefused),
            (as_json(400, {"detail": {"status": SENTENCE}}), RequestRefused),
            (as_json(400, {"detail": SENTENCE}), RequestRefused),
        ],
    )
    def test_its_errors_mean_what_they_say(
        self, provider: Provider, server: Server, reply: Any, kind: type[ProviderError]
    ) -> None:
        server.next.append(reply)
        with pytest.raises(ProviderError) as caught:
            self.speak(provider, self.request(provider))
        assert type(caught.value) is kind
        assert (caught.value.provider, caught.value.status) == ("elevenlabs", reply.status)
        assert caught.value.request_id == reply.headers.get("request-id", "")
        assert SENTENCE not in str(caught.value)

    def test_without_a_key_it_says_which_setting(self) -> None:
        with pytest.raises(SpeechNotConfigured, match="TTS_API_KEY"):
            ElevenLabsProvider(TTSConfig(provider="elevenlabs"))
