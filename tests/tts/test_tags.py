"""Speech has tags, by which it is removed; they change neither its sound nor its key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from audiocache import MultiTierAudioCache, get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.models import RefusedClip
from audiocache.pulse import pulse
from tests.tts.doubles import StubProvider
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest, NotAudio, ProviderDown
from tts.retry import without_waits
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.verdicts import accept
from tts.wav import wav_of

TEXT = "Your appointment is on Tuesday."
REQUEST = SpeechRequest(TEXT)
SILENCE = wav_of(bytes(48_000), 8000)
ON_SQLITE = pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])
Verb = Callable[[TTSService, Iterable[str]], object]


def streamed(service: TTSService, tags: Iterable[str]) -> bytes:
    return b"".join(service.stream_sync(REQUEST, tags=tags))


def astreamed(service: TTSService, tags: Iterable[str]) -> bytes:
    async def listen() -> bytes:
        return b"".join([piece async for piece in service.stream(REQUEST, tags=tags)])

    return asyncio.run(listen())


VERBS: dict[str, Verb] = {
    "synthesize_sync": lambda service, tags: service.synthesize_sync(REQUEST, tags=tags),
    "synthesize": lambda service, tags: asyncio.run(service.synthesize(REQUEST, tags=tags)),
    "text_sync": lambda service, tags: service.synthesize_text_sync(TEXT, tags=tags),
    "text": lambda service, tags: asyncio.run(service.synthesize_text(TEXT, tags=tags)),
    "stream_sync": streamed,
    "stream": astreamed,
}


def stored_tags(service: TTSService) -> tuple[str, ...]:
    entry = service.cache.look_for_any([service.complete(REQUEST).key])
    return entry.tags if entry else ()


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_clip_has_the_tags_of_all_who_asked_for_it(
    service: TTSService, provider: StubProvider, verb: Verb
) -> None:
    verb(service, ["user:1"])
    assert stored_tags(service) == ("user:1",)
    verb(service, {"user:2", "letters"})
    verb(service, ())
    assert stored_tags(service) == ("letters", "user:1", "user:2")
    assert len(provider.calls) == 1
    assert service.cache.discard_tag("user:2")
    assert stored_tags(service) == ()


def test_callers_who_share_a_call_each_have_their_tags(
    service: TTSService, provider: StubProvider
) -> None:
    provider.seconds = 0.2

    def ask(number: int) -> tuple[str, ...]:
        return service.synthesize_sync(REQUEST, tags=[f"user:{number}"]).entry.tags

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(ask, range(6)))
    assert all(f"user:{number}" in tags for number, tags in enumerate(told))
    assert stored_tags(service) == tuple(f"user:{number}" for number in range(6))
    assert len(provider.calls) == 1


def test_the_clip_that_another_format_is_made_from_has_them_too(service: TTSService) -> None:
    service.synthesize_text_sync(TEXT)
    service.synthesize_text_sync(TEXT, audio_format="flac", tags=["user:1"])
    assert stored_tags(service) == ("user:1",)
    service.cache.discard_tag("user:1")
    for audio_format in ("wav", "flac"):
        clip = service.complete(SpeechRequest(TEXT, audio_format=audio_format)).clip()
        assert not service.cache.holds(clip)


def test_a_fallbacks_clip_has_them(cache: MultiTierAudioCache) -> None:
    config = TTSConfig.of_dict({"TIMEOUT": 5, "FALLBACKS": ["tone"]})
    provider = StubProvider(config)
    provider.error = ProviderDown("no", provider="stub", status=500)
    service = TTSService(config, cache=cache, provider=provider)
    with without_waits():
        spoken = service.synthesize_sync(REQUEST, tags=["user:1"])
    assert (spoken.fallback, spoken.entry.tags) == (True, ("user:1",))
    assert cache.discard_tag("user:1")


def test_a_hit_whose_tags_are_there_stores_nothing(service: TTSService) -> None:
    first = service.synthesize_sync(REQUEST, tags=["user:1"]).entry
    assert service.synthesize_sync(REQUEST, tags=["user:1"]).entry.created == first.created


@pytest.mark.parametrize("tags", ["user:1", [""], [7], ["a\0b"]], ids=str)
def test_what_is_no_tag_is_refused_before_anything_is_paid_for(
    service: TTSService, provider: StubProvider, tags: list[str]
) -> None:
    with pytest.raises(InvalidSpeechRequest, match="tags"):
        service.synthesize_sync(REQUEST, tags=tags)
    assert provider.calls == []


def broken_service(cache: MultiTierAudioCache) -> tuple[TTSService, StubProvider]:
    """Its provider answers with what is no sound."""
    config = TTSConfig.of_dict({"TIMEOUT": 10})
    provider = StubProvider(config)
    provider.answer = lambda recording: replace(recording, audio=SILENCE)
    return TTSService(config, cache=cache, provider=provider), provider


@pytest.fixture
def with_table(settings: Any) -> Iterator[MultiTierAudioCache]:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": "audiocache"}
    yield (cache := get_audio_cache())
    replace_audio_cache(None)
    cache.close()
    pulse.stop()


@ON_SQLITE
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_refused_answer_has_the_tags_of_all_who_asked_again(
    with_table: MultiTierAudioCache, verb: Verb
) -> None:
    service, provider = broken_service(with_table)
    for number in range(3):
        with without_waits(), pytest.raises(NotAudio):
            verb(service, [f"user:{number}"])
    [row] = RefusedClip.objects.all()
    assert row.tags == '["user:0", "user:1", "user:2"]'
    assert {request.text for request in provider.calls} == {TEXT}


@ON_SQLITE
def test_a_refused_clip_that_is_accepted_keeps_its_tags(with_table: MultiTierAudioCache) -> None:
    service, _ = broken_service(with_table)
    with without_waits(), pytest.raises(NotAudio):
        service.synthesize_text_sync(TEXT, tags=["user:1"])
    [accepted] = accept(RefusedClip.objects.all())
    assert accepted.text == TEXT
    assert stored_tags(service) == ("user:1",)
