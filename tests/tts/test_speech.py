"""Law 7: a request is complete or has no key; the keys are frozen here for ever."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from audiocache.entries import AudioEntry
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest
from tts.providers.tone import ToneProvider
from tts.speech import Speech, SpeechRequest, WordTiming, timings_to_json

TONE = ToneProvider(TTSConfig())

GOLDEN: list[tuple[dict[str, Any], str, str]] = [
    (
        {},
        "60ca8d34499b6d6bfdcfeabf8970f9e25d16128fe26d30b8d965c6bc0d56cd08",
        "78a3ab0062fca89eb608fd06999e4ac8e4b7f3099377dabb82cf41bb6e75391b",
    ),
    (
        {"text": " Hello \t world\r\n"},
        "60ca8d34499b6d6bfdcfeabf8970f9e25d16128fe26d30b8d965c6bc0d56cd08",
        "78a3ab0062fca89eb608fd06999e4ac8e4b7f3099377dabb82cf41bb6e75391b",
    ),
    (
        {"voice": "bass"},
        "980f9e6431ae9b0a959a538c9810f8cc8308c213f4c3282d3277ba75578170eb",
        "cb1fdb31ac3d1bcc1d82d7b22f03617982f6862e66dd633a68b35eed0b4989b6",
    ),
    (
        {"audio_format": "pcm"},
        "82ee8424725362a18a240156d62cce0e64d56043b390476b2f5258da8d9a1b94",
        "78a3ab0062fca89eb608fd06999e4ac8e4b7f3099377dabb82cf41bb6e75391b",
    ),
    (
        {"speed": 1.5},
        "eb9686045953d2e7cd006a5706ce06c715dda3188caaed1be47a593e3a78763e",
        "ea01baaa852b5fd1eff5a676874b034a17e100d9bf0421473a1f3b9ed7e59930",
    ),
    (
        {"language": "de", "text": "Grüße, 你好 🙂"},
        "7adec4a2df30ca662049f76040e9717f4374d581e9de8c4851b1ce4ca6ec3e74",
        "cff424ca9f51cf3824e03a77fba0ef8a36ba9188a74ea367c39444ca1ebc22b3",
    ),
    (
        {"instructions": "Whisper."},
        "b72f53837769f1bd5aafcdd899735ffa3b58da0b7ad4e3e695690302d740733a",
        "a1a279fc7e0639045d39747adf8713a218d4287b84985fb385315a759bf88fe6",
    ),
    (
        {"ssml": True},
        "4a83613b3b4ea1d7e4eff40734e34def240462c88ace136e89f1982177bd02d0",
        "4398b17cf66640859d86a7be0aa75f9a52669d327b114958936a0a18cd547077",
    ),
    (
        {"options": {"transpose": -2}},
        "daab99b679ab91bf32fa97009bd4f0f4379c5cc1d60dfe157b004651dfb72e6f",
        "979a99d0b3f4e5cac1d68f25391a5614d36ba58bada1489a68370c970ce57501",
    ),
    (
        {"voice_revision": "2026-11"},
        "9043422c8f26973cc6a0d0de5b7d374d57d4bf637dc93a5ab5946c6ccf31e7fd",
        "ee22c74aa5a0bf152bff31b53c7383af9aa3580749033e114375b0fa7bbbc1c9",
    ),
]


def complete(text: str = "Hello world", **fields: Any) -> SpeechRequest:
    return TONE.complete(SpeechRequest(text, **fields))


@pytest.mark.parametrize(("fields", "key", "source_key"), GOLDEN)
def test_the_keys_never_change(fields: dict[str, Any], key: str, source_key: str) -> None:
    request = complete(**fields)
    assert (request.key, request.source_key) == (key, source_key)


def test_the_variant_is_all_that_changes_the_sound() -> None:
    assert complete().clip().variant == json.dumps(
        {
            "format": "wav",
            "language": "en",
            "options": {"transpose": 0},
            "provider": "tone",
            "sample_rate": 8000,
            "speed": 1,
            "ssml": False,
            "voice": "alto",
        },
        separators=(",", ":"),
    )


@pytest.mark.parametrize("name", ["key", "source_key", "variant", "source_variant"])
def test_an_incomplete_request_has_no_key(name: str) -> None:
    with pytest.raises(InvalidSpeechRequest, match=r"service\.complete\(request\)"):
        getattr(SpeechRequest("Hello"), name)
    with pytest.raises(InvalidSpeechRequest):
        SpeechRequest("Hello").spoken()


def test_a_changed_copy_must_be_completed_again() -> None:
    changed = dataclasses.replace(complete(), voice="no such voice")
    assert not changed.is_complete
    with pytest.raises(InvalidSpeechRequest, match="voice"):
        TONE.complete(changed)


def test_a_request_is_a_value() -> None:
    assert SpeechRequest("a", options={"x": 1}) == SpeechRequest("a", options={"x": 1})
    assert len({SpeechRequest("a", options={"x": 1}), SpeechRequest("a", options={"x": 1})}) == 1


def test_options_are_copied_and_part_of_the_key() -> None:
    options = {"transpose": 1}
    request = complete(options=options)
    key = request.key
    options["transpose"] = 2
    assert request.key == key != complete(options=options).key


def test_an_option_at_its_default_or_none_is_the_same_key() -> None:
    keys = {complete(options=given).key for given in ({}, {"transpose": 0}, {"transpose": None})}
    assert len(keys) == 1


def test_an_option_that_cannot_be_a_key_is_named() -> None:
    with pytest.raises(InvalidSpeechRequest) as caught:
        complete(options={"transpose": object()}).clip()
    assert caught.value.field == "options.transpose"


def test_a_namespace_has_keys_of_its_own() -> None:
    request = complete()
    assert request.clip("tenant").key != request.key
    assert request.clip("tenant").source_key != request.source_key
    with pytest.raises(InvalidSpeechRequest) as caught:
        request.clip("x" * 101)
    assert caught.value.field == "namespace"


def test_the_text_is_sent_as_it_is_keyed() -> None:
    request = complete("  Hello \t world\r\n")
    assert request.spoken().text == "Hello world"
    assert request.key == request.spoken().key == complete().key


def test_an_earlier_cache_is_asked_for_the_raw_text() -> None:
    assert complete().clip().legacy_key is None
    assert complete(" Hello  world").clip().legacy_key is not None


def test_a_lazy_translation_is_a_text() -> None:
    assert complete(gettext_lazy("Hello world")).key == complete().key  # type: ignore[arg-type]


def test_neither_text_nor_instructions_are_shown() -> None:
    shown = repr(SpeechRequest("secret text", instructions="secret too", options={"a": "secret"}))
    assert "secret" not in shown


@given(st.text(min_size=1, max_size=60))
def test_any_text_is_spoken_or_refused(text: str) -> None:
    try:
        request = complete(text)
    except InvalidSpeechRequest as error:
        assert error.field == "text"  # noqa: PT017 - either is right
    else:
        assert complete(request.spoken().text).key == request.key


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "voice": st.sampled_from(["alto", "bass"]),
            "audio_format": st.sampled_from(["wav", "pcm"]),
            "speed": st.sampled_from([1, 1.0, 2, 0.5]),
            "language": st.sampled_from(["en", "de"]),
            "instructions": st.sampled_from([None, "", "Slowly."]),
            "ssml": st.booleans(),
            "options": st.sampled_from([{}, {"transpose": 0}, {"transpose": 2}]),
            "voice_revision": st.sampled_from([None, "2"]),
        },
    )
)
def test_keys_are_equal_exactly_when_completed_requests_are(fields: dict[str, Any]) -> None:
    request, default = complete(**fields), complete()
    assert (request.key == default.key) == (request == default)
    unformatted = dataclasses.replace(request, audio_format="wav")
    assert request.source_key == TONE.complete(unformatted).source_key


def entry(**fields: Any) -> AudioEntry:
    values: dict[str, Any] = dict.fromkeys(AudioEntry._fields) | {"timings": ""} | fields
    for name in ("tier", "stale", "joined"):
        values[name] = fields.get(name, AudioEntry._field_defaults[name])
    return AudioEntry(**values)


def test_speech_tells_what_the_entry_knows() -> None:
    timings = timings_to_json([WordTiming(0.25, 0, 5)])
    speech = Speech(entry(audio=b"x", duration_ms=1500, cost=12, timings=timings, key="k" * 64))
    assert (speech.audio, speech.duration, speech.cost) == (b"x", 1.5, 12)
    assert (speech.tier, speech.stale, speech.joined) == ("provider", False, False)
    assert speech.timings == (WordTiming(0.25, 0, 5),)
    assert speech.key == "k" * 64


def test_speech_without_details_has_none() -> None:
    speech = Speech(entry(audio=b"x", content_type="audio/wav", tier="memory", joined=True))
    assert (speech.duration, speech.cost, speech.timings) == (None, None, ())
    assert (speech.content_type, speech.tier, speech.joined) == ("audio/wav", "memory", True)
