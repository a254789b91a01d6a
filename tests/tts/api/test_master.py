"""The official SDK, where a master is bought and every format is made of it while it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.tts.api.conftest import GUNICORN, Site, running
from tests.tts.api.test_sdk import FIRST_BYTE_SECONDS, FORMATS, ROUNDS, asked, phrase
from tests.tts.test_transcoding import judged
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.tap import Tap
from tts.formats import content_type_of

PIECES = 12


@pytest.fixture(scope="module")
def master_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Under gunicorn, in two processes."""
    yield from running(GUNICORN, tmp_path_factory.mktemp("master"), MASTER="wav")


def test_six_formats_are_one_call_for_the_master(master_site: Site) -> None:
    text, calls = phrase(), len(master_site.vendor.heard)
    speech = master_site.client().audio.speech
    for audio_format in FORMATS:
        request = asked(text, response_format=audio_format)
        speech.create(**request)
        answer = speech.create(**request)
        assert answer.response.headers["content-type"] == content_type_of(audio_format)
        assert judged(answer.content, audio_format, 24_000).audio == answer.content
    [call] = master_site.vendor.heard[calls:]
    assert call.json()["response_format"] == "wav"


def test_all_formats_at_the_same_moment_are_one_call(master_site: Site) -> None:
    text, calls = phrase(), len(master_site.vendor.heard)
    speech = master_site.client().audio.speech

    def heard(audio_format: str) -> bytes:
        return speech.create(**asked(text, response_format=audio_format)).content

    with ThreadPoolExecutor(len(FORMATS)) as pool:
        for audio_format, audio in zip(FORMATS, pool.map(heard, FORMATS), strict=True):
            assert judged(audio, audio_format, 24_000).audio == audio
    assert len(master_site.vendor.heard) == calls + 1


def test_what_is_made_is_fifty_milliseconds_behind_the_vendors_first_byte(
    master_site: Site,
) -> None:
    """The quickest of some rounds counts: the machine has other work, too."""
    lates: list[float] = []
    speech = master_site.client().audio.speech.with_streaming_response
    while len(lates) < ROUNDS and min(lates, default=1.0) > FIRST_BYTE_SECONDS:
        text = phrase()
        tap = Tap(sound(text, "wav"), PIECES)
        master_site.vendor.next.append(tap)
        tap.let(2)
        with speech.create(**asked(text)) as answer:
            heard = next(pieces := answer.iter_bytes())
            lates.append(time.monotonic() - tap.sent[0])
            tap.let()
            assert judged(heard + b"".join(pieces), "mp3").duration_ms
    assert min(lates) <= FIRST_BYTE_SECONDS, lates
