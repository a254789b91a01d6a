"""What every provider does: inherit and set `provider_class`."""

from __future__ import annotations

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from audiocache.content_types import sniff
from tts.admission import admit
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import InvalidSpeechRequest, ProviderTimeout
from tts.formats import CONTENT_TYPES, codec_of, content_type_of
from tts.prices import BYTES
from tts.providers.base import Provider
from tts.speech import SpeechRequest

SENTENCE = "The train to the harbour leaves at noon."


class ProviderContract:
    """One suite for all providers."""

    provider_class: ClassVar[type[Provider]]
    config: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def provider(self) -> Provider:
        self.provider_class.require_extra()
        return self.provider_class(TTSConfig(**self.config))

    def request(self, provider: Provider, /, **fields: Any) -> SpeechRequest:
        return provider.complete(SpeechRequest(**({"text": SENTENCE} | fields)))

    def test_its_attributes_fit_together(self, provider: Provider) -> None:
        assert provider.name
        assert {provider.default_format, provider.native_format} <= set(provider.formats)
        assert {codec_of(name) for name in provider.formats} <= set(CONTENT_TYPES)
        assert provider.max_text > 0
        if provider.speeds:
            assert provider.speeds[0] <= 1 <= provider.speeds[1]

    def test_its_voices_and_models_can_be_asked_for(self, provider: Provider) -> None:
        for voice in provider.voices():
            assert self.request(provider, voice=voice.id).voice == voice.id
        for model in provider.models():
            assert self.request(provider, model=model).model == model

    def test_a_complete_request_has_all_that_changes_the_sound(self, provider: Provider) -> None:
        request = self.request(provider)
        assert request.is_complete
        assert request.provider == provider.name
        assert request.audio_format == provider.default_format
        assert request.speed == 1
        assert set(request.options) == set(provider.default_options)

    def test_completing_twice_changes_nothing(self, provider: Provider) -> None:
        request = self.request(provider)
        assert provider.complete(request) == request
        again = provider.complete(dataclasses.replace(request))
        assert (again, again.key) == (request, request.key)

    def test_a_parameter_at_its_default_is_the_same_key(self, provider: Provider) -> None:
        request = self.request(provider)
        for name in request.variant:
            field = "audio_format" if name == "format" else name
            given = self.request(provider, **{field: getattr(request, field)})
            assert given.key == request.key, name

    def test_another_format_is_another_key_of_the_same_source(self, provider: Provider) -> None:
        requests = [self.request(provider, audio_format=name) for name in provider.formats]
        assert len({request.key for request in requests}) == len(provider.formats)
        assert len({request.source_key for request in requests}) == 1

    def test_whatever_differs_is_another_key(self, provider: Provider) -> None:
        fields: list[dict[str, Any]] = [{}, {"text": "Another text."}, {"voice_revision": "2"}]
        fields += [{"voice": voice.id} for voice in provider.voices()]
        fields += [{"speed": speed} for speed in provider.speeds or ()]
        fields += [{"ssml": True}] if provider.takes_ssml else []
        fields += [{"instructions": "Whisper."}] if provider.max_instructions else []
        default = self.request(provider)
        fields = [f for f in fields if f.get("voice", "") != default.voice]
        sources = {self.request(provider, **given).source_key for given in fields}
        assert len(sources) == len(fields)

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"text": ""}, "text"),
            ({"text": " \t\n"}, "text"),
            ({"text": "a\x00b"}, "text"),
            ({"text": "a\ud800b"}, "text"),
            ({"text": None}, "text"),
            ({"text": 7}, "text"),
            ({"voice": 7}, "voice"),
            ({"voice": 0}, "voice"),
            ({"voice": []}, "voice"),
            ({"voice": "x" * 201}, "voice"),
            ({"voice": "a\nb"}, "voice"),
            ({"model": 7}, "model"),
            ({"model": []}, "model"),
            ({"language": 7}, "language"),
            ({"language": []}, "language"),
            ({"audio_format": "tape"}, "audio_format"),
            ({"audio_format": 7}, "audio_format"),
            ({"audio_format": []}, "audio_format"),
            ({"speed": 0}, "speed"),
            ({"speed": -1}, "speed"),
            ({"speed": 100}, "speed"),
            ({"speed": float("nan")}, "speed"),
            ({"speed": float("inf")}, "speed"),
            ({"speed": True}, "speed"),
            ({"speed": "1"}, "speed"),
            ({"speed": []}, "speed"),
            ({"speed": 10**400}, "speed"),
            ({"speed": -(10**5000)}, "speed"),
            ({"instructions": 7}, "instructions"),
            ({"instructions": "x" * 100_000}, "instructions"),
            ({"ssml": 1}, "ssml"),
            ({"ssml": "yes"}, "ssml"),
            ({"sample_rate": 7}, "sample_rate"),
            ({"sample_rate": True}, "sample_rate"),
            ({"options": ["a"]}, "options"),
            ({"options": {"no_such_option": 1}}, "options"),
            ({"provider": "somebody else"}, "provider"),
            ({"voice_revision": 7}, "voice_revision"),
            ({"voice_revision": []}, "voice_revision"),
        ],
    )
    def test_a_wrong_field_is_named(
        self, provider: Provider, fields: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, **fields)
        assert caught.value.field == field
        assert caught.value.limit
        assert str(caught.value).startswith(f"{field} ")

    def test_the_text_is_counted_as_it_is_sent(self, provider: Provider) -> None:
        letter = "é" if provider.text_unit == BYTES else "e"
        size = 2 if provider.text_unit == BYTES else 1
        longest = letter * (provider.max_text // size)
        self.request(provider, text=f"  {longest}  ")
        with pytest.raises(InvalidSpeechRequest, match=str(provider.max_text)):
            self.request(provider, text=longest + letter * 2)

    def test_every_format_is_admitted_as_what_it_is_called(self, provider: Provider) -> None:
        for name in provider.formats:
            request = self.request(provider, audio_format=name)
            recording = admit(self.speak(provider, request), request)
            assert recording.content_type == content_type_of(name)
            bare = codec_of(name) in {"pcm", "ulaw", "alaw"}
            assert bare or sniff(recording.audio) == recording.content_type

    def test_a_faster_voice_is_shorter(self, provider: Provider) -> None:
        if provider.speeds is None:
            return
        slow, fast = (self.duration(provider, speed=speed) for speed in provider.speeds)
        assert slow > 1.5 * fast

    def test_timings_lie_within_the_text_and_in_order(self, provider: Provider) -> None:
        request = self.request(provider)
        timings = self.speak(provider, request).timings
        rows = json.loads(timings) if timings else []
        assert rows == sorted(rows)
        assert all(0 <= at < at + length <= len(request.text) for _, at, length in rows)
        assert not set("abcdefghijklmnopqrstuvwxyz") & set(timings)

    def test_a_deadline_that_has_passed_is_a_time_out(self, provider: Provider) -> None:
        with pytest.raises(ProviderTimeout) as caught:
            provider.synthesize(self.request(provider), Deadline.after(-1))
        assert caught.value.provider == provider.name

    def test_its_stream_is_its_sound(self, provider: Provider) -> None:
        for name in (provider.default_format, provider.native_format):
            request = self.request(provider, audio_format=name)
            pieces: list[bytes] = []
            recording = provider.stream(request.spoken(), Deadline.after(30), pieces.append)
            assert b"".join(pieces) == (recording.audio if provider.streams else b"")
            assert recording.billed_units == self.speak(provider, request).billed_units
            assert admit(recording, request).content_type == content_type_of(name)

    @pytest.mark.untraced
    def test_sixteen_threads_speak_at_once(self, provider: Provider) -> None:
        texts = [f"Number {n}." for n in range(64)]
        start = threading.Barrier(16)

        def speak(numbers: range) -> list[int]:
            start.wait()
            requests = [self.request(provider, text=texts[n]) for n in numbers]
            return [len(admit(self.speak(provider, r), r).audio) for r in requests]

        with ThreadPoolExecutor(16) as pool:
            sizes = list(pool.map(speak, [range(n, 64, 16) for n in range(16)]))
        assert sum(map(len, sizes)) == 64

    def test_its_errors_and_reprs_hold_no_text(self, provider: Provider) -> None:
        request = self.request(provider)
        assert SENTENCE not in repr(request) + repr(self.speak(provider, request))
        with pytest.raises(InvalidSpeechRequest) as caught:
            self.request(provider, speed=1000)
        assert SENTENCE not in str(caught.value)

    @pytest.mark.parametrize("field", ["voice", "model", "language", "audio_format"])
    def test_an_empty_name_is_not_given(self, provider: Provider, field: str) -> None:
        assert self.request(provider, **{field: ""}).key == self.request(provider).key

    def speak(self, provider: Provider, request: SpeechRequest) -> Any:
        return provider.synthesize(request.spoken(), Deadline.after(30))

    def duration(self, provider: Provider, **fields: Any) -> int:
        request = self.request(provider, **fields)
        return admit(self.speak(provider, request), request).duration_ms or 0
