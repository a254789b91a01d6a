"""The envelope in Redis: what goes in comes out, and any damage is seen."""

from __future__ import annotations

import itertools
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocache import codec
from audiocache.codec import HEADER_BYTES, VERSION, decode, encode, peek
from audiocache.entries import NEVER, ORIGIN, AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema
from tests.factories import NOW, entry

TEXTS = st.text(st.characters(codec="utf-8"))
KEYS = st.text(string.hexdigits.lower()[:16], min_size=64, max_size=64)
INSTANTS = st.integers(0, NEVER)
NUMBERS = st.none() | st.integers(0, 2**62)

ENTRIES = st.builds(
    AudioEntry,
    key=KEYS, namespace=TEXTS, text_digest=TEXTS, text=st.none() | TEXTS.filter(bool),
    variant=TEXTS, content_type=TEXTS, created=INSTANTS, expires=INSTANTS, keep_until=INSTANTS,
    source_key=KEYS, transcoded_from=st.just("") | KEYS, duration_ms=NUMBERS, cost=NUMBERS,
    billed_units=NUMBERS, timings=TEXTS, tags=st.lists(TEXTS).map(tuple),
    audio=st.binary(max_size=2000), tier=st.just(ORIGIN), stale=st.just(False),
    joined=st.just(False),
    nowhere=st.just(False), spare=st.just(False),
)  # fmt: skip

SAMPLE = encode(entry("Hello", tags=("a", "b"), parameters={"voice": "nova"}), 7)


@pytest.mark.untraced
@given(ENTRIES, st.integers(0, 2**64 - 1))
def test_what_goes_in_comes_out(made: AudioEntry, generation: int) -> None:
    value = encode(made, generation)
    assert decode(value) == (made, generation)
    assert peek(value[:HEADER_BYTES])[:-1] == (
        made.key,
        generation,
        made.created,
        made.expires,
        made.keep_until,
    )


def test_zero_is_a_cost_and_a_duration() -> None:
    made = entry("a", cost=0, duration_ms=0, billed_units=0)
    assert decode(encode(made, 0))[0] == made


def test_the_envelope_is_small() -> None:
    bare = entry("a", audio=b"", text=None, content_type="")
    assert len(encode(bare, 0)) < HEADER_BYTES + 200


def test_every_flipped_bit_is_seen() -> None:
    for place, bit in itertools.product(range(len(SAMPLE)), range(8)):
        damaged = SAMPLE[:place] + bytes([SAMPLE[place] ^ (1 << bit)]) + SAMPLE[place + 1 :]
        # The version's byte may say that the value is a later release's.
        with pytest.raises((CorruptEntry, NewerSchema) if place == 2 else CorruptEntry):
            decode(damaged)


@pytest.mark.parametrize("length", [*range(HEADER_BYTES + 3), len(SAMPLE) - 1])
def test_a_value_cut_anywhere_is_seen(length: int) -> None:
    with pytest.raises(CorruptEntry):
        decode(SAMPLE[:length])


def test_a_value_with_something_behind_it_is_seen() -> None:
    with pytest.raises(CorruptEntry):
        decode(SAMPLE + b"\x00")


@given(st.binary(max_size=300))
def test_foreign_bytes_are_never_an_entry(value: bytes) -> None:
    with pytest.raises((CorruptEntry, NewerSchema)):
        decode(value)
    with pytest.raises((CorruptEntry, NewerSchema)):
        decode(codec.MAGIC + value)


@pytest.mark.parametrize("version", [VERSION + 1, 255])
def test_a_later_version_is_told_apart_whatever_follows(version: int) -> None:
    value = codec.MAGIC + bytes([version]) + b"a shape that is not known here"
    for read in (decode, peek):
        with pytest.raises(NewerSchema, match=f"version {version} is newer than {VERSION}"):
            read(value)


@pytest.mark.parametrize("head", [b"", b"\xac", SAMPLE[: HEADER_BYTES - 1], b"x" * 100])
def test_a_header_that_is_none_is_seen(head: bytes) -> None:
    with pytest.raises(CorruptEntry):
        peek(head)


def test_no_message_repeats_a_text() -> None:
    value: Any = encode(entry("secret phrase"), 0)
    with pytest.raises(CorruptEntry) as caught:
        decode(value[:-1])
    assert "secret" not in str(caught.value)


def test_the_generation_and_the_instants_stand_in_the_header() -> None:
    made = entry("a", created=NOW, ttl=5, stale=6)
    assert peek(encode(made, 3))[1:-1] == (3, NOW, NOW + 5, NOW + 11)


def test_the_scripts_on_the_server_know_where_the_header_has_its_fields() -> None:
    made = entry("a", created=NOW, ttl=5)
    value = encode(made, 3)
    assert value.startswith(codec.FIRST)
    assert value[codec.KEY_AT : codec.CREATED_AT] == bytes.fromhex(made.key) + bytes(7) + b"\x03"
    assert value[codec.CREATED_AT : codec.EXPIRES_AT] == NOW.to_bytes(8)
    assert value[codec.EXPIRES_AT : codec.EXPIRES_AT + 8] == (NOW + 5).to_bytes(8)
