"""The tone provider keeps the contract, and is deterministic."""

from __future__ import annotations

from typing import Any

from tests.tts.providers.contract import ProviderContract
from tts.providers.base import Provider
from tts.providers.tone import SAMPLE_RATE, ToneProvider


class TestToneProvider(ProviderContract):
    provider_class = ToneProvider

    def test_the_same_request_gives_the_same_bytes(self, provider: Provider) -> None:
        request = self.request(provider)
        assert self.speak(provider, request) == self.speak(provider, request)

    def test_another_voice_word_or_option_sounds_different(self, provider: Provider) -> None:
        fields: tuple[dict[str, Any], ...] = (
            {},
            {"voice": "bass"},
            {"text": "The trail."},
            {"options": {"transpose": 3}},
        )
        sounds = {self.speak(provider, self.request(provider, **f)).audio for f in fields}
        assert len(sounds) == len(fields)

    def test_pcm_is_the_inside_of_wav(self, provider: Provider) -> None:
        wav = self.speak(provider, self.request(provider)).audio
        pcm = self.speak(provider, self.request(provider, audio_format="pcm")).audio
        assert wav[44:] == pcm

    def test_each_word_has_a_time(self, provider: Provider) -> None:
        request = self.request(provider, text="one three five")
        assert self.speak(provider, request).timings.count("[") == 4
        assert request.sample_rate == SAMPLE_RATE
