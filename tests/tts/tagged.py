"""Real clips with what a hostile or careless server may put beside their sound."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from tts.containers.crc import REVERSED, ogg_crc
from tts.containers.flac import walk_flac
from tts.containers.mp3 import Frame, frame_of
from tts.containers.tags import behind_tags

PAGE: Final = struct.Struct("<4sBBqIIIB")


def with_id3_frames(mp3: bytes, number: int) -> bytes:
    """So many user texts in an ID3 tag before the sound."""
    texts = (b"\x03k%d\0v" % n for n in range(number))
    return _id3(b"".join(b"TXXX" + _synchsafe(len(it)) + b"\0\0" + it for it in texts)) + mp3


def with_packed_title(mp3: bytes, mebibytes: int) -> bytes:
    """A title of so many MiB, packed into a thousandth."""
    packer = zlib.compressobj(9)
    packed = packer.compress(b"\x03")
    packed += b"".join(packer.compress(bytes([97]) * 2**20) for _ in range(mebibytes))
    data = _synchsafe(mebibytes * 2**20 + 1) + packed + packer.flush()
    return _id3(b"TIT2" + _synchsafe(len(data)) + b"\0\x09" + data) + mp3


def with_flac_comments(flac: bytes, number: int) -> bytes:
    """So many comments in place of all metadata but STREAMINFO."""
    at, last = 4, 0
    while not last:
        last = flac[at] & 0x80
        at += 4 + int.from_bytes(flac[at + 1 : at + 4], "big")
    comments = _comments(number)
    block = b"\x84" + len(comments).to_bytes(3, "big") + comments
    return b"fLaC\0" + flac[5:42] + block + flac[at:]


def with_ogg_comments(ogg: bytes, number: int) -> bytes:
    """The same in a stream of Opus or Vorbis."""
    first, second, *rest = _pages(ogg)
    is_opus = b"OpusHead" in first
    name, last = (b"OpusTags", b"") if is_opus else (b"\x03vorbis", b"\x01")
    packets = [name + _comments(number) + last, *(() if is_opus else [_second_packet(second)])]
    pages = [first, *_made(packets, int.from_bytes(first[14:18], "little"))]
    return b"".join(pages + [_numbered(page, n) for n, page in enumerate(rest, len(pages))])


def _id3(frames: bytes) -> bytes:
    return b"ID3\x04\0\0" + _synchsafe(len(frames)) + frames


def _synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def _comments(number: int) -> bytes:
    texts = (b"k%d=v" % n for n in range(number))
    listed = b"".join(struct.pack("<I", len(it)) + it for it in texts)
    return struct.pack("<II", 0, number) + listed


def with_unmarked_end(ogg: bytes, pages: int | None = None) -> bytes:
    """The first so many pages of an Ogg stream, none of which says that it is the last."""
    *before, last = _pages(ogg)[:pages]
    number = int.from_bytes(last[18:22], "little")
    return b"".join(before) + _numbered(last[:5] + bytes([last[5] & ~4]) + last[6:], number)


def with_time(ogg: bytes, factor: float) -> bytes:
    """The same pages, each with a multiple of its time."""
    pages = list[bytes]()
    for page in _pages(ogg):
        granule, number = (
            struct.unpack_from("<q", page, 6)[0],
            struct.unpack_from("<I", page, 18)[0],
        )
        time = struct.pack("<q", round(granule * factor) if granule > 0 else granule)
        pages.append(_numbered(page[:6] + time + page[14:], number))
    return b"".join(pages)


def with_unknown_length(flac: bytes) -> bytes:
    """As those write it who send while they encode."""
    word = int.from_bytes(flac[18:26], "big") >> 36 << 36
    return flac[:18] + word.to_bytes(8, "big") + flac[26:]


def first_flac_frames(flac: bytes, part: float) -> bytes:
    """Whole frames, up to about this part of the file."""
    pieces = walk_flac(flac).pieces
    end = max(piece.end for piece in pieces if piece.end <= len(flac) * part)
    return flac[:end]


def first_frames(audio: bytes, seconds: float, rate: int) -> bytes:
    """Whole frames of MP3 (behind its tags) or AAC, with what encoders put before the sound."""
    if frames := list(_frames(audio)):
        begins, samples = [at for at, _ in frames], frames[0][1].samples
    else:
        begins, samples = list(_adts(audio)), 1024
    return audio[: begins[int((seconds * rate + 1024) / samples)]]


def without_xing(mp3: bytes) -> bytes:
    """Without what stands before its sound: nothing says how long it is."""
    return mp3[next(at for at, _ in list(_frames(mp3))[1:]) :]


def with_random_frames(mp3: bytes, part: float) -> bytes:
    """The same frames by their headers, but noise in a part of them."""
    chance, audio = random.Random(1), bytearray(mp3)
    for at, frame in list(_frames(mp3))[1:]:
        if chance.random() < part:
            audio[at + 4 : at + frame.size] = chance.randbytes(frame.size - 4)
    return bytes(audio)


def _frames(mp3: bytes) -> Iterator[tuple[int, Frame]]:
    at = behind_tags(mp3, 0)
    while frame := frame_of(mp3[at : at + 4]):
        yield at, frame
        at += frame.size


def _adts(aac: bytes) -> Iterator[int]:
    at = 0
    while at < len(aac):
        yield at
        at += int.from_bytes(aac[at + 3 : at + 6], "big") >> 5 & 0x1FFF


def _pages(ogg: bytes) -> list[bytes]:
    pages, at = [], 0
    while at < len(ogg):
        count = ogg[at + 26]
        end = at + 27 + count + sum(ogg[at + 27 : at + 27 + count])
        pages.append(ogg[at:end])
        at = end
    return pages


def _second_packet(page: bytes) -> bytes:
    """Of a page that holds two whole ones."""
    lacing = page[27 : 27 + page[26]]
    first = next(n for n, size in enumerate(lacing) if size < 255) + 1
    return page[27 + len(lacing) + sum(lacing[:first]) :]


def _made(packets: list[bytes], serial: int) -> list[bytes]:
    segments = b"".join(b"\xff" * (len(it) // 255) + bytes([len(it) % 255]) for it in packets)
    body, pages = b"".join(packets), list[bytes]()
    for at in range(0, len(segments), 255):
        lacing = segments[at : at + 255]
        flags = int(at > 0 and segments[at - 1] == 255)
        granule = 0 if 0 in lacing or min(lacing) < 255 else -1
        head = PAGE.pack(b"OggS", 0, flags, granule, serial, 0, 0, len(lacing))
        pages.append(_numbered(head + lacing + body[: sum(lacing)], len(pages) + 1))
        body = body[sum(lacing) :]
    return pages


def _numbered(page: bytes, number: int) -> bytes:
    page = page[:18] + struct.pack("<I", number) + bytes(4) + page[26:]
    crc = ogg_crc(page.translate(REVERSED), 0, len(page)).to_bytes(4, "big").translate(REVERSED)
    return page[:22] + crc + page[26:]
