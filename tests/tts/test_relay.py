"""What of a provider's stream is passed on."""

from __future__ import annotations

import pytest

from audiocache.streams import Broadcast, Channel
from tests.tts.vendors.sounds import sound
from tts.admission import HEAD
from tts.relay import Gate
from tts.speech import SpeechRequest

TEXT = "Platform two."


def passed(audio_format: str, *pieces: bytes) -> bytes:
    broadcast = Broadcast(Channel())
    gate = Gate(broadcast, SpeechRequest(TEXT, audio_format=audio_format))
    for piece in pieces:
        gate.take(piece)
    return broadcast.read(0)


@pytest.mark.parametrize(
    "name", ["mp3", "opus", "aac", "flac", "wav", "pcm", "mp3_44100_128", "ulaw_8000", "pcm_16000"]
)
def test_every_sound_begins_well_in_pieces_of_any_size(name: str) -> None:
    audio = sound(TEXT, name)
    assert passed(name, audio[:60_000]) == audio[:60_000]
    assert passed(name, *(audio[at : at + 1] for at in range(1_000))) == audio[:1_000]


def test_the_head_is_held_until_it_tells() -> None:
    audio = sound(TEXT, "mp3")
    assert passed("mp3", audio[: HEAD - 1]) == b""
    assert passed("mp3", audio[: HEAD - 1], audio[HEAD - 1 : HEAD]) == audio[:HEAD]


@pytest.mark.parametrize("audio_format", ["mp3", "pcm", "ulaw_8000"])
@pytest.mark.parametrize(
    "message",
    [b'{"error": "quota"}', b"<!doctype html><title>", b"Service is not available. ", b"\n{} "],
)
def test_a_message_is_not_passed_on_nor_what_comes_after_it(
    audio_format: str, message: bytes
) -> None:
    assert passed(audio_format, message * HEAD, sound(TEXT, "mp3")) == b""


@pytest.mark.parametrize(("asked", "came"), [("mp3", "wav"), ("wav", "opus"), ("pcm", "wav")])
def test_another_kind_of_sound_is_not_passed_on(asked: str, came: str) -> None:
    assert passed(asked, sound(TEXT, came)) == b""
