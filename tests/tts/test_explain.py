"""manage.py audiocache explain: keys, lives and near misses of a request."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audiocache.builder import replace_audio_cache
from audiocache.models import AudioCacheEntry
from audiocache.pulse import pulse
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE
from tests.tts.doubles import StubProvider
from tts.service import TTSService, get_tts_service, set_tts_service
from tts.speech import SpeechRequest


@pytest.fixture(
    params=[
        pytest.param("audiocache", marks=ON_SQLITE),
        pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
    ]
)
def stored(request: pytest.FixtureRequest, settings: Any) -> Iterator[TTSService]:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": request.param}
    yield get_tts_service()
    set_tts_service(None)
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("audiocache", "explain", *words, stdout=out)
    return out.getvalue()


def explain(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_the_request_is_complete_and_has_its_keys(
    installed: TTSService, provider: StubProvider
) -> None:
    report = explain("  Hello   you ", "--voice", "bass")
    request = installed.complete(SpeechRequest("Hello you", voice="bass"))
    assert report["text"] == "Hello you"
    assert report["key"] == request.key
    assert report["source_key"] == request.source_key
    assert json.loads(report["variant"])["voice"] == "bass"
    assert report["request"]["format"] == "wav"
    assert report["state"] == "missing"
    assert report["answer"] == "a call to stub, bass with 9 characters"
    assert report["on_miss"]["characters"] == 9
    assert provider.calls == []


def test_it_says_who_would_answer_and_until_when(stored: TTSService) -> None:
    stored.synthesize_text_sync("Hello")
    before = stored.cache.recorder.totals()
    report = explain("Hello")
    assert (report["state"], report["answer"]) == ("fresh", "memory")
    assert {name: life["state"] for name, life in report["tiers"].items()} == {
        "memory": "fresh",
        "persistent": "fresh",
    }
    assert report["expires"] == report["tiers"]["persistent"]["expires"]
    assert report["near_misses"] == []
    assert stored.cache.recorder.totals() == before


def test_a_stale_clip_is_told_as_stale(stored: TTSService) -> None:
    stored.synthesize_text_sync("Hello")
    AudioCacheEntry.objects.update(expires=1)
    stored.cache.tiers["memory"].clear()
    report = explain("Hello")
    assert report["state"] == "stale"
    assert report["answer"].startswith("a call to tone")


def test_near_misses_say_what_differs(stored: TTSService) -> None:
    for voice in ("alto", "bass"):
        stored.synthesize_text_sync("Hello", voice=voice)
    stored.synthesize_text_sync("Hello", voice="tenor", audio_format="pcm")
    stored.synthesize_text_sync("Hello", voice="tenor", namespace="menu")
    stored.cache.put("Hello", b"of an earlier cache")
    stored.synthesize_text_sync("Other", voice="bass")
    report = explain("Hello", "--voice", "tenor")
    near = report["near_misses"]
    assert len(near) == 5
    assert near[0]["differs"]["voice"] == {"asked": "tenor", "held": None}
    assert near[1]["differs"] == {"namespace": {"asked": "", "held": "menu"}}
    assert near[2]["differs"] == {"format": {"asked": "wav", "held": "pcm"}}
    assert near[2]["same_source"] is True
    assert near[3]["differs"] == {"voice": {"asked": "tenor", "held": "bass"}}
    assert near[3]["same_source"] is False
    text = run("Hello", "--voice", "tenor")
    assert "voice: bass instead of tenor" in text
    assert "namespace: menu instead of nothing" in text


def test_at_most_twenty_near_misses(stored: TTSService) -> None:
    for number in range(25):
        stored.synthesize_text_sync("Hello", instructions=f"way {number}")
    assert len(explain("Hello", "--instructions", "way 24")["near_misses"]) == 20
    assert len(explain("Hello", "--voice", "bass")["near_misses"]) == 20


def test_for_people_it_is_a_page(installed: TTSService) -> None:
    text = run("Hello", "--ssml", "--speed", "1.5", "--language", "de", "--format", "pcm")
    for shown in ("Request:", "pcm", "1.5", "Lives", "memory", "not there", "missing"):
        assert shown in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Hello", "--voice", "nobody"], "voice .*alto, bass"),
        (["Hello", "--speed", "99"], "speed must be"),
        (["Hello", "--format", "xyz"], "audio_format .*wav, pcm"),
        (["  "], "text must not be empty or blank"),
        (["Hello", "--namespace", "x" * 101], "namespace must have at most 100"),
    ],
)
def test_a_wrong_request_names_the_field(
    installed: TTSService, words: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run(*words)
