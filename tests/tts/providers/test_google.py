"""Google keeps the contract, says everything explicitly, and its errors mean what they say."""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

import pytest

from tests.tts.providers.contract import SENTENCE
from tests.tts.providers.paid import PaidContract
from tests.tts.vendors import google as vendor
from tests.tts.vendors import misbehaving
from tests.tts.vendors.server import Reply, Server
from tts.conf import TTSConfig
from tts.exceptions import (
    ContentRefused,
    CutAnswer,
    NotAudio,
    ProviderDown,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers.base import Provider
from tts.providers.google import GoogleProvider

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}


class TestGoogleProvider(PaidContract):
    provider_class = GoogleProvider
    vendor: ClassVar = vendor
    ssml = "<speak>Good <break time='200ms'/><mark name='m'/>morning.</speak>"
    options: ClassVar = {
        "pitch": ({}, {"options": {"pitch": -2.5}}),
        "volume_gain_db": ({}, {"options": {"volume_gain_db": 6}}),
        "effects": ({}, {"options": {"effects": ["telephony-class-application"]}}),
        "order of effects": (
            {"options": {"effects": ["wearable-class-device", "handset-class-device"]}},
            {"options": {"effects": ["handset-class-device", "wearable-class-device"]}},
        ),
        "speed": ({}, {"speed": 1.25}),
        "sample_rate": ({}, {"sample_rate": 8000}),
        "voice": ({}, {"voice": "de-DE-Neural2-B"}),
        "language": ({"voice": "Kore", "language": "K"}, {"voice": "Kore", "language": "Ko"}),
        "model": ({}, {"model": "gemini-2.5-flash-tts"}),
    }
    errors: ClassVar = [
        (vendor.QUOTA, QuotaSpent),
        (vendor.BUSY, RateLimited),
        (vendor.refusal(429, "RESOURCE_EXHAUSTED"), RateLimited),
        (vendor.refusal(400, "INVALID_ARGUMENT"), RequestRefused),
        (vendor.refusal(400, "INVALID_ARGUMENT", "API_KEY_INVALID"), WrongKey),
        (vendor.refusal(401, "UNAUTHENTICATED"), WrongKey),
        (vendor.refusal(403, "PERMISSION_DENIED", "SERVICE_DISABLED"), WrongKey),
        (vendor.refusal(403, "PERMISSION_DENIED", "BILLING_DISABLED"), QuotaSpent),
        (vendor.refusal(404, "NOT_FOUND"), RequestRefused),
        (vendor.refusal(500, "INTERNAL"), ProviderDown),
        (vendor.refusal(503, "UNAVAILABLE"), ProviderDown),
        (vendor.refusal(504, "DEADLINE_EXCEEDED"), ProviderDown),
        (vendor.status_of(400, SENTENCE), RequestRefused),
        (
            vendor.status_of(
                400,
                "INVALID_ARGUMENT",
                message="The prompt contains sensitive or harmful content: Something.",
            ),
            ContentRefused,
        ),
        (Reply(429, b'{"error": {"details": [7, {"reason": 7}], "status": []}}'), RateLimited),
        (Reply(400, b'{"error": "Something"}'), RequestRefused),
        (Reply(502, b"<html>Something</html>"), ProviderDown),
    ]

    def test_everything_is_said(self, provider: Provider, server: Server) -> None:
        options = {"pitch": 2, "volume_gain_db": -3.5, "effects": ["handset-class-device"]}
        self.speak(provider, self.request(provider, speed=1.5, sample_rate=16000, options=options))
        [heard] = server.heard
        assert (heard.method, heard.path) == ("POST", "/v1/text:synthesize")
        assert heard.json() == {
            "input": {"text": SENTENCE},
            "voice": {"languageCode": "en-US", "name": "en-US-Neural2-C"},
            "audioConfig": {
                "audioEncoding": "MP3",
                "speakingRate": 1.5,
                "pitch": 2,
                "volumeGainDb": -3.5,
                "sampleRateHertz": 16000,
                "effectsProfileId": ["handset-class-device"],
            },
        }

    def test_ssml_is_counted_with_its_tags_and_a_mark_is_free(
        self, provider: Provider, server: Server
    ) -> None:
        recording = self.speak(provider, self.request(provider, ssml=True))
        assert recording.billed_units == len(self.ssml) - len("<mark name='m'/>")
        assert server.heard[0].json()["input"] == {"ssml": self.ssml}
        long = f"<speak>{'<p/>' * 1250}e</speak>"
        assert "5000 bytes" in self.refuse(provider, text=long, ssml=True).limit

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"options": {"pitch": 21}}, "options.pitch"),
            ({"options": {"volume_gain_db": 17}}, "options.volume_gain_db"),
            ({"options": {"effects": "handset-class-device"}}, "options.effects"),
            ({"options": {"effects": [7]}}, "options.effects"),
            ({"options": {"effects": [None]}}, "options.effects"),
            ({"options": {"effects": ["a"] * 11}}, "options.effects"),
            ({"voice": "Kore"}, "language"),
            ({"sample_rate": 11025}, "sample_rate"),
        ],
    )
    def test_a_wrong_field_of_google_is_named(
        self, provider: Provider, fields: dict[str, Any], field: str
    ) -> None:
        assert self.refuse(provider, **fields).field == field

    @pytest.mark.parametrize(
        ("voice", "language", "said"),
        [
            ("cmn-CN-Wavenet-A", None, "cmn-CN"),
            ("fil-ph-Neural2-A", None, "fil-ph"),
            ("en-US-Chirp3-HD-Achernar", "en", "en-US"),
            ("Kore", "pt-BR", "pt-BR"),
        ],
    )
    def test_the_language_is_the_voices_own(
        self, provider: Provider, voice: str, language: str | None, said: str
    ) -> None:
        assert self.request(provider, voice=voice, language=language).language == said

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b"not JSON",
            b'{"audioContent": null}',
            b'{"audioContent": "***"}',
            b'{"audioContent": "YQ"}',
            '{"audioContent": "\u00e9\u00e9\u00e9\u00e9"}'.encode(),
            b'{"audioContent": {"a": 1}}',
        ],
    )
    def test_an_answer_without_sound_is_not_audio(
        self, provider: Provider, server: Server, body: bytes
    ) -> None:
        server.next.append(Reply(body=body))
        with pytest.raises(NotAudio) as caught:
            self.speak(provider, self.request(provider))
        assert (caught.value.provider, caught.value.status) == ("google", 200)

    def test_a_part_of_an_answer_is_no_sound_to_keep(
        self, provider: Provider, server: Server
    ) -> None:
        server.next.append(misbehaving.cut_with_length(b'{"audioContent": "YWFh"}'))
        with pytest.raises(CutAnswer) as caught:
            self.speak(provider, self.request(provider))
        assert caught.value.recording is None

    def test_the_time_to_wait_may_stand_in_the_body(
        self, provider: Provider, server: Server
    ) -> None:
        limit = "RequestsPerMinutePerProject"
        waits = []
        later = vendor.limited(limit, RETRY)
        for reply in (
            later,
            Reply(later.status, later.body, {"Retry-After": "3"}),
            vendor.limited(limit, RETRY | {"retryDelay": "soon"}),
        ):
            server.next.append(reply)
            with pytest.raises(RateLimited) as caught:
                self.speak(provider, self.request(provider))
            waits.append(caught.value.retry_after)
        assert waits == [12.5, 3, None]

    def test_the_longest_answer_fits(self, provider: Provider, server: Server) -> None:
        request = self.request(provider, text="e" * 5000, audio_format="wav", sample_rate=48000)
        audio = bytes(600 * 48000 * 2)
        body = json.dumps({"audioContent": base64.b64encode(audio).decode()}).encode()
        server.next.append(Reply(body=body))
        assert self.speak(provider, request).audio == audio

    def test_without_a_key_it_says_which_setting(self) -> None:
        with pytest.raises(SpeechNotConfigured, match="TTS_API_KEY"):
            GoogleProvider(TTSConfig(provider="google"))
