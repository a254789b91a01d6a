"""FLAC: metadata, frames in sequence, and both checksums."""

from __future__ import annotations

import pytest

from tests.tts.clips import TEXTS, clip, encoded, spoken
from tts.containers.base import BadContainer
from tts.containers.crc import crc8, crc16
from tts.containers.flac import walk_flac


def info(rate: int = 16_000, total: int = 0) -> bytes:
    word = rate << 44 | 15 << 36 | total
    return b"fLaC\x80\0\0\x22" + bytes(10) + word.to_bytes(8, "big") + bytes(16)


def utf8(number: int) -> bytes:
    """FLAC's code of numbers, as far as UTF-8 goes."""
    return chr(number).encode()


def frame(
    number: int,
    sync: bytes = b"\xff\xf8",
    size: bytes = b"",
    code: int = 0xC5,
    channels: bytes = b"\x08",
) -> bytes:
    """4096 samples at 16 kHz, unless `size` and `code` say otherwise; sound that is none."""
    header = sync + bytes([code]) + channels + utf8(number) + size
    header += bytes([crc8(header)])
    whole = header + b"\0\x01\x02\x03"
    return whole + crc16(whole).to_bytes(2, "big")


def test_the_checksums_are_those_of_the_standard() -> None:
    assert crc8(b"123456789") == 0xF4
    assert crc16(b"123456789") == 0xFEE8
    assert crc16(b"1234567890") == crc16(b"1234567890\0\0"[:10])
    assert crc16(b"123456789\xfe\xe8") == 0


def test_samples_of_frames_are_summed() -> None:
    frames = b"".join(frame(number) for number in range(300))
    assert walk_flac(info() + frames).duration_ms == 76_800
    assert walk_flac(info(total=300 * 4096) + frames).duration_ms == 76_800


def test_other_sizes_and_variable_ones() -> None:
    last = frame(1, size=b"\x00\xff", code=0x75)
    assert walk_flac(info() + frame(0) + last).duration_ms == round((4096 + 256) / 16)
    last = frame(1, size=b"\x9f", code=0x65)
    assert walk_flac(info() + frame(0) + last).duration_ms == round((4096 + 160) / 16)
    variable = b"".join(frame(n * 4096, b"\xff\xf9") for n in range(3))
    assert walk_flac(info() + variable).duration_ms == 768


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"fLaC", "no STREAMINFO"),
        (b"fLaC\x81\0\0\x22" + bytes(60), "no STREAMINFO"),
        (info(rate=0), "no sample rate"),
        (info(), "no frame"),
        (b"fLaC\x00" + info()[5:], "cut in its metadata"),
        (b"fLaC\x00" + info()[5:] + b"\x01\0\0\0" * 200, "blocks of metadata"),
        (b"fLaC\x00" + info()[5:] + b"\x81\xff\0\0" + bytes(99), "cut in its metadata"),
        (info() + frame(0) + frame(2), "a frame is missing"),
        (info() + frame(1) + frame(2), "fails its checksum|is missing|sequence"),
        (info() + frame(0) + frame(1)[:-1], "fails its checksum"),
        (info(total=3 * 4096) + frame(0) + frame(1), "cut: 8192 of 12288 samples"),
        (info() + frame(0)[:4] * 6000, "out of sequence"),
    ],
)
def test_what_is_no_whole_file_is_refused(audio: bytes, why: str) -> None:
    with pytest.raises(BadContainer, match=why):
        walk_flac(audio)


def test_how_two_channels_are_coded_may_change_from_frame_to_frame() -> None:
    codes = [b"\x18", b"\x88", b"\x98", b"\xa8", b"\x18"]
    frames = b"".join(frame(n, channels=code) for n, code in enumerate(codes))
    assert walk_flac(info() + frames).duration_ms == round(5 * 4096 / 16)
    with pytest.raises(BadContainer, match=r"is missing|fails its"):
        walk_flac(info() + frame(0, channels=b"\x18") + frame(2, channels=b"\x98") * 2)


def test_the_same_voice_in_both_channels_is_whole() -> None:
    pcm, rate = spoken(TEXTS["en"])
    audio = encoded(pcm, rate, "flac", channels=2)
    assert walk_flac(audio).duration_ms == pytest.approx(len(pcm) * 500 / rate, abs=1)


def test_without_a_valid_header_there_is_no_sound_in_it() -> None:
    assert walk_flac(info() + frame(0, code=0x05)).duration_ms == 0


def test_half_a_clip_cut_between_two_frames_is_seen() -> None:
    audio = clip(TEXTS["en"], "flac")
    middle = audio.index(audio[audio.index(b"\xff\xf8") :][:4], len(audio) // 2)
    with pytest.raises(BadContainer, match="samples"):
        walk_flac(audio[:middle])
