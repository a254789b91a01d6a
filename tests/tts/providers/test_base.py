"""A provider with nothing but what it must have keeps the contract too."""

from __future__ import annotations

import pytest

from audiocache.entries import Recording
from tests.tts.providers.contract import ProviderContract
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import InvalidSpeechRequest, ProviderTimeout
from tts.prices import BYTES
from tts.providers.base import Provider
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest


class BareProvider(Provider):
    name = "bare"
    formats = ("wav",)
    default_format = "wav"
    native_format = "wav"
    max_text = 1000
    text_unit = BYTES

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        if deadline.passed():
            raise ProviderTimeout("there was no time left", provider=self.name)
        tone = ToneProvider(self.config)
        return tone.synthesize(tone.complete(SpeechRequest(request.text)), deadline)


class TestBareProvider(ProviderContract):
    provider_class = BareProvider

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"speed": 2}, "must be 1"),
            ({"ssml": True}, "must be False"),
            ({"instructions": "Softly."}, "must be left out"),
            ({"sample_rate": 8000}, "must be left out"),
            ({"options": {"pitch": 1}}, "must be empty"),
        ],
    )
    def test_what_it_has_not_is_refused(
        self, provider: Provider, fields: dict[str, object], words: str
    ) -> None:
        with pytest.raises(InvalidSpeechRequest, match=words):
            self.request(provider, **fields)

    def test_voice_model_and_language_are_what_is_said(self, provider: Provider) -> None:
        request = self.request(provider, voice="any", model="any", language="any")
        assert (request.voice, request.model, request.language) == ("any", "any", "any")
        request = self.request(provider)
        assert (request.voice, request.model, request.language) == (None, None, None)

    def test_the_settings_fill_what_the_request_leaves_out(self) -> None:
        config = TTSConfig(voice="v", model="m", language="l", voice_revision="3")
        request = self.request(BareProvider(config))
        assert (request.voice, request.model) == ("v", "m")
        assert (request.language, request.voice_revision) == ("l", "3")

    def test_closing_what_has_no_connections_is_nothing(self, provider: Provider) -> None:
        provider.close()
