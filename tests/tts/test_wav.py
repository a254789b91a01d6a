"""WAV files are read to their end, and every length is checked."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.wav import MAX_CHUNKS, BadWav, read_wav, wav_of

PCM = struct.pack("<8h", *range(0, 800, 100))


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    body = b"WAVE"
    for name, data in chunks:
        body += name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def fmt(coding: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", coding, channels, rate, rate * block, block, bits)


def test_what_is_written_is_read() -> None:
    wav = read_wav(wav_of(PCM, 16000))
    assert (wav.data, wav.sample_rate, wav.channels, wav.bits) == (PCM, 16000, 1, 16)
    assert read_wav(wav_of(PCM * 2000, 16000)).duration_ms == 1000


def test_the_length_is_that_of_the_samples_whatever_the_bytes_a_second_are_said_to_be() -> None:
    for said in (1, 600, 16_000 * 40):
        audio = bytearray(wav_of(PCM * 1000, 8000))
        struct.pack_into("<I", audio, 28, said)
        assert read_wav(bytes(audio)).duration_ms == 1000


def test_other_chunks_are_stepped_over() -> None:
    audio = riff((b"LIST", b"odd"), (b"fmt ", fmt()), (b"data", PCM), (b"id3 ", b"tag"))
    assert read_wav(audio).data == PCM


def test_the_extensible_format_tells_its_coding() -> None:
    extensible = fmt(0xFFFE) + struct.pack("<HHIH14s", 22, 16, 4, 3, b"")
    assert read_wav(riff((b"fmt ", extensible), (b"data", PCM))).coding == 3


def test_a_stream_of_unsaid_length_goes_to_its_end() -> None:
    header = wav_of(PCM, 8000)[:44]
    for whole, sound in (
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x7FFFFFFF, 0x7FFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF - 36),
        (0x7FFFFFFF, 0x7FFFFFFF - 36),
        (0x7FFFF024, 0x7FFFF000),  # espeak and SoX
        (36, 0),  # Python's wave
        (0, 0),
    ):
        sizes = struct.pack("<I", whole), struct.pack("<I", sound)
        assert read_wav(header[:4] + sizes[0] + header[8:40] + sizes[1] + PCM).data == PCM


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "no RIFF"),
        (b"RIFF", "no RIFF"),
        (b"RIFX" + wav_of(PCM, 8000)[4:], "no RIFF"),
        (wav_of(PCM, 8000)[:-1], "cut: 59 of 60"),
        (wav_of(PCM, 8000)[:44], "cut"),
        (wav_of(PCM, 8000) + b"12", "2 bytes behind"),
        (riff((b"fmt ", fmt())), "no sound"),
        (riff((b"data", PCM)), "no format"),
        (riff((b"fmt ", fmt()[:10]), (b"data", PCM)), "too short"),
        (riff((b"fmt ", bytes(16)), (b"data", PCM)), "zeros"),
        (riff((b"fmt ", fmt()), (b"data", PCM + b"x")), "last sample"),
        (riff((b"fmt ", fmt()), *[(b"junk", b"")] * MAX_CHUNKS, (b"data", PCM)), "more than"),
    ],
)
def test_what_is_not_whole_is_said(audio: bytes, why: str) -> None:
    with pytest.raises(BadWav, match=why):
        read_wav(audio)


def test_a_chunk_longer_than_the_file_is_cut() -> None:
    audio = bytearray(riff((b"fmt ", fmt()), (b"data", PCM)))
    audio[40:44] = struct.pack("<I", 1000)
    with pytest.raises(BadWav, match="16 of 1000"):
        read_wav(bytes(audio))


@given(st.integers(0, 59), st.binary(min_size=1, max_size=4))
def test_damage_is_refused_or_read_never_worse(at: int, noise: bytes) -> None:
    audio = bytearray(wav_of(PCM, 8000))
    audio[at : at + len(noise)] = noise
    with contextlib.suppress(BadWav):
        read_wav(bytes(audio))
