"""MP3: frames without a gap from the first to the last; ISO 11172-3 and 13818-3, layer III.

Half a file still says its full length in its first frame (Xing, Info or VBRI): the frames that
are there are counted and compared with it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from tts.containers.base import BadContainer, Pieces, Walked
from tts.containers.tags import MAX_TAGS, behind_tags

BITRATES: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
LOW_BITRATES: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""kbit/s of MPEG-1, and of MPEG-2 and 2.5."""
RATES: Final = (44100, 48000, 32000)
DIVISORS: Final = {0b11: 1, 0b10: 2, 0b00: 4}
"""Of the sample rate, by MPEG version."""
PIECE: Final = 32
"""Frames."""


class Frame(NamedTuple):
    """What four bytes of a frame's header say."""

    size: int
    samples: int
    rate: int
    info_at: int
    """Where an Xing or Info header would begin within the frame."""


def walk_mp3(audio: bytes) -> Walked:
    """Frames to the end. Raises BadContainer."""
    at = behind_tags(audio, 0)
    first = frame_of(audio[at : at + 4])
    if first is None:
        raise BadContainer("no MP3 frame at its beginning")
    said = _said_frames(audio[at : at + first.size], first)
    pieces = Pieces(at)
    frames = _count_frames(audio, at, first, pieces) - (said is not None)
    # Writers differ in whether the frame that says it counts itself.
    if said and frames < said - 1:
        raise BadContainer(f"cut: {frames} of {said} frames")
    duration_ms = round(frames * first.samples * 1000 / first.rate)
    found = tuple(pieces.found)
    return Walked(duration_ms, end_is_marked=bool(said), pieces=found, rate=first.rate)


def _count_frames(audio: bytes, at: int, first: Frame, pieces: Pieces) -> int:
    frames, gaps, end = 0, 0, len(audio)
    while at < end:
        frame = frame_of(audio[at : at + 4])
        if frame is None or frame.rate != first.rate:
            pieces.cut(at)
            begin, gaps = at, gaps + 1
            if gaps > MAX_TAGS or (at := behind_tags(audio, begin)) == begin:
                return frames + _refuse_rest(audio, begin)
            pieces.skip(at)
            continue
        frames += 1
        at += frame.size
        if not frames % PIECE:
            pieces.cut(at)
    if at > end:
        raise BadContainer(f"its last frame is cut: {at - end} bytes are missing")
    pieces.cut(at)
    return frames


def _refuse_rest(audio: bytes, at: int) -> int:
    """Nothing but zeros may follow the last frame; 0 frames."""
    if audio[at:].strip(b"\0"):
        raise BadContainer(f"no frame at byte {at}")
    return 0


@lru_cache(maxsize=4096)
def frame_of(head: bytes) -> Frame | None:
    """None where the bytes are no header of layer III. Remembered: a clip has few of them."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, bitrate_at, rate_at = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version not in DIVISORS or bitrate_at in {0, 15} or rate_at == 3:
        return None
    is_1, mono = version == 0b11, head[3] >> 6 == 0b11
    rate = RATES[rate_at] // DIVISORS[version]
    bitrate = (BITRATES if is_1 else LOW_BITRATES)[bitrate_at] * 1000
    size = (144 if is_1 else 72) * bitrate // rate + (head[2] >> 1 & 1)
    side = (17 if mono else 32) if is_1 else (9 if mono else 17)
    return Frame(size, 1152 if is_1 else 576, rate, 4 + side)


def _said_frames(frame: bytes, kind: Frame) -> int | None:
    """How many frames the first one says there are; 0: it does not; None: it is sound."""
    name, flags = frame[kind.info_at : kind.info_at + 4], frame[kind.info_at + 7 : kind.info_at + 8]
    if name in {b"Xing", b"Info"}:
        has_count = bool(flags and flags[0] & 1)
        return _number(frame, kind.info_at + 8) if has_count else 0
    return _number(frame, 36 + 14) if frame[36:40] == b"VBRI" else None


def _number(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 4], "big")
