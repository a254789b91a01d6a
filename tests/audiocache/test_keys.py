"""Which clip is which. The golden vectors are a promise: a change here loses paid clips."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Any

import pytest
from django.utils.functional import lazystr
from hypothesis import assume, given
from hypothesis import strategies as st

from audiocache.keys import RESERVED, canonical_variant, clip_key, clip_of, normalize_text

HELLO = "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969"


class Voice(StrEnum):
    NOVA = "nova"


class Level(IntEnum):
    HIGH = 3


# Golden vectors: text, variant, namespace, key.
GOLDEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("Hello", {}, "", HELLO),
    ("Grüße", {}, "", "f83e039796c6453a10f5519e39fd113901572316a1a8ea07cb525d2801dfd074"),
    (
        "こんにちは世界 🎧",
        {},
        "",
        "a9ad24a514d4fbeafb7fa87cd42e471961852eb0f76f8af1fee0306d210b2ad3",
    ),
    (
        "Hello",
        {"voice": "nova"},
        "",
        "3b5f34280639b7085ef348c2376743e804125a9ba409a3615bf1acf09c4b01b4",
    ),
    (
        "Hello",
        {"voice": "nova", "model": "m2"},
        "",
        "8d4079b69675ee4e3f1320e492d26af21eb5f402d396017f569986e965187b82",
    ),
    ("Hello", {"speed": 1}, "", "666752838a0e65d47acb0d9ec662905e58ec769649e1f4982cec81fa4aac99d1"),
    (
        "Hello",
        {"speed": 1.25},
        "",
        "0450f87b919d2f55b201278c280a7257a08b67bcd693c26e01e245fcdf268c1b",
    ),
    (
        "Hello",
        {"ssml": True},
        "",
        "6c44828c26edb8632d20769185a10560c3279f8589b6c5e3a71853d63ce2aa00",
    ),
    (
        "Hello",
        {"voice": "Zoë", "options": {"b": [1, 2.5], "a": "ß"}},
        "",
        "7ffdf44f6598669f32cc22a1b25fd7903966823950ed06f90c089d8372413551",
    ),
    ("Hello", {}, "menu", "ce05ded480ee261782586e49476d651abeafc929026d2a44c076ca9610055e95"),
    (
        "Hello",
        {"voice": "nova"},
        "menü",
        "a3b8e282f9e5e10029cad40616c747d6e31e2b33f77106cb01d1fad62dffe8d8",
    ),
]


@pytest.mark.parametrize(("text", "variant", "namespace", "key"), GOLDEN)
def test_golden_vectors(text: str, variant: dict[str, Any], namespace: str, key: str) -> None:
    assert clip_of(text, variant, namespace).key == key


def test_the_key_of_bare_text_is_its_sha256() -> None:
    assert clip_of("Grüße").key == sha256("Grüße".encode()).hexdigest()
    assert clip_of("Hello") == clip_of("Hello", {}, "")


def test_a_variant_can_be_given_to_a_digest_whose_text_is_not_known() -> None:
    clip = clip_of("Hello", {"voice": "nova"}, "menu")
    assert clip_key(HELLO, '{"voice":"nova"}', "menu") == clip.key
    line = f"audiocache:1\nmenu\n{HELLO}\n" + '{"voice":"nova"}'
    assert clip.key == sha256(line.encode()).hexdigest()


def test_a_clip_knows_its_parts_and_does_not_show_its_text() -> None:
    clip = clip_of(" Hello ", {"voice": "nova"}, "menu")
    assert (clip.text, clip.text_digest, clip.namespace) == ("Hello", HELLO, "menu")
    assert clip.variant == '{"voice":"nova"}'
    assert clip.source_key == clip.key
    assert "Hello" not in repr(clip)


def test_a_rendition_names_the_clip_that_is_paid_for() -> None:
    source = clip_of("Hello", {"voice": "nova"}, "menu")
    wav = clip_of(
        "Hello", {"voice": "nova", "format": "wav"}, "menu", source_variant={"voice": "nova"}
    )
    assert wav.source_key == source.key != wav.key
    assert clip_of("Hello", {"format": "wav"}, source_variant={}).source_key == HELLO


def test_a_text_that_normalisation_changed_has_the_key_of_before() -> None:
    assert clip_of("Hello").legacy_key is None
    assert clip_of(" Hello").legacy_key == sha256(b" Hello").hexdigest()
    voiced = clip_of("Hello  you", {"voice": "nova"})
    digest = sha256(b"Hello  you").hexdigest()
    assert voiced.legacy_key == clip_key(digest, '{"voice":"nova"}')
    assert voiced.digests == [sha256(b"Hello you").hexdigest(), digest]
    assert clip_of("Hello").digests == [HELLO]


# Text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Hello\t", "Hello"),
        ("\n Hello \n", "Hello"),
        ("a  b\t\tc \t d", "a b c d"),
        ("a\r\nb", "a\nb"),
        ("a\n\nb", "a\n\nb"),
        ("a\n  b", "a\n b"),
        ("e\u0301", "é"),
        ("US", "US"),
        ("us", "us"),
        ("x²", "x²"),
        ("ﬁsh", "ﬁsh"),
        ("a\u00a0b", "a\u00a0b"),
        ("Really?", "Really?"),
    ],
)
def test_text_is_normalised_and_no_more(text: str, normal: str) -> None:
    assert normalize_text(text) == normal


def test_a_translation_that_waits_for_its_language_is_text() -> None:
    waiting: Any = lazystr("Hello")
    assert clip_of(waiting).key == HELLO


@pytest.mark.parametrize("text", ["", " ", "\t\r\n ", "\u3000"], ids=repr)
def test_blank_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="text must not be empty or blank"):
        clip_of(text)


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "a \x00"], ids=repr)
def test_nul_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="text must not contain NUL"):
        clip_of(text)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"], ids=ascii)
def test_a_lone_surrogate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="text must not contain lone surrogates"):
        clip_of(text)


@pytest.mark.parametrize("text", [None, 5, b"Hello", ["Hello"]], ids=repr)
def test_what_is_not_text_is_refused(text: Any) -> None:
    with pytest.raises(TypeError, match=f"text must be str, not {type(text).__name__}"):
        clip_of(text)


@given(st.text(st.sampled_from(" \t\r\na\u0301\u00e9\u00a0"), min_size=1))
def test_what_is_passed_over_where_nothing_is_to_be_changed_changes_nothing(text: str) -> None:
    plain = re.sub(r"\r+\n", "\n", unicodedata.normalize("NFC", text))
    plain = re.sub(r"[ \t]+", " ", plain).strip()
    assume(plain)
    assert normalize_text(text) == plain


@given(st.text(st.characters(exclude_characters="\x00", codec="utf-8")))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    try:
        normal = normalize_text(text)
    except ValueError:
        assert not unicodedata.normalize("NFC", text).strip()
        return
    assert normalize_text(normal) == normal
    assert "  " not in normal
    assert "\t" not in normal
    assert clip_of(normal).legacy_key is None


# Variant


@pytest.mark.parametrize(
    ("variant", "canonical"),
    [
        ({}, ""),
        ({"voice": None}, ""),
        ({"b": 1, "a": "x"}, '{"a":"x","b":1}'),
        ({"speed": 1.0}, '{"speed":1}'),
        ({"speed": -0.0}, '{"speed":0}'),
        ({"speed": 1.5}, '{"speed":1.5}'),
        ({"speed": 1e22}, '{"speed":10000000000000000000000}'),
        ({"raw": True}, '{"raw":true}'),
        ({"raw": False}, '{"raw":false}'),
        ({"voice": ""}, '{"voice":""}'),
        ({"voice": "Zoë 🎧\n"}, '{"voice":"Zoë 🎧\\n"}'),
        ({"voice": Voice.NOVA}, '{"voice":"nova"}'),
        ({"level": Level.HIGH}, '{"level":3}'),
        ({"list": [1.0, "a", [True]]}, '{"list":[1,"a",[true]]}'),
        ({"d": {"b": 2.0, "a": None, "c": {}}}, '{"d":{"b":2,"c":{}}}'),
        ({"list": []}, '{"list":[]}'),
    ],
)
def test_the_canonical_variant(variant: dict[str, Any], canonical: str) -> None:
    assert canonical_variant(variant) == canonical


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=repr)
def test_a_number_that_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match="speed must be finite"):
        canonical_variant({"speed": value})
    with pytest.raises(ValueError, match=re.escape("options.rates[1] must be finite")):
        canonical_variant({"options": {"rates": [1, value]}})


@pytest.mark.parametrize(
    "value", [b"x", (1, 2), {1}, Decimal(1), object(), 1j, len], ids=lambda v: type(v).__name__
)
def test_a_value_of_another_type_is_refused_by_name(value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(TypeError, match=f"voice must be .*, not {kind}"):
        canonical_variant({"voice": value})
    with pytest.raises(TypeError, match=re.escape("a.b[0] must be ") + f".*, not {kind}"):
        canonical_variant({"a": {"b": [value]}})


def test_none_in_a_list_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=re.escape("a[1] must be ")):
        canonical_variant({"a": [1, None]})


@pytest.mark.parametrize("name", [1, None, b"a", ("a",)], ids=repr)
def test_names_within_a_value_must_be_text(name: Any) -> None:
    with pytest.raises(TypeError, match=f"options must have str names, not {type(name).__name__}"):
        canonical_variant({"options": {name: 1}})


@pytest.mark.parametrize("variant", [{"voice": "\ud800"}, {"v": ["\ud800"]}, {"\ud800": 1}])
def test_lone_surrogates_in_a_variant_are_refused(variant: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must not contain lone surrogates"):
        canonical_variant(variant)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is reserved"):
        clip_of("Hello", {name: "x"})


@pytest.mark.parametrize(
    ("namespace", "error"),
    [(5, TypeError), (None, TypeError), ("a" * 101, ValueError), ("a\n", ValueError),
     ("a\x00", ValueError), ("\ud800", ValueError)],
)  # fmt: skip
def test_a_wrong_namespace_is_refused_by_name(namespace: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="namespace must"):
        clip_of("Hello", {}, namespace)


def test_a_namespace_may_be_long_and_foreign() -> None:
    assert clip_of("Hello", {}, "ü" * 100).key != clip_of("Hello", {}, "ü" * 99).key


VALUES = st.recursive(
    st.text(st.characters(codec="utf-8")) | st.booleans() | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = st.text(st.characters(codec="utf-8")).filter(lambda name: name not in RESERVED)
VARIANTS = st.dictionaries(NAMES, VALUES, max_size=4)


def with_nones(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: with_nones(item) for name, item in value.items()} | {"absent, surely": None}
    return [with_nones(item) for item in value] if isinstance(value, list) else value


def as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_floats(item) for item in value]
    return float(value) if type(value) is int else value


@pytest.mark.untraced
@given(VARIANTS)
def test_the_order_of_names_none_and_integral_floats_do_not_change_the_key(
    variant: dict[str, Any],
) -> None:
    canonical = canonical_variant(variant)
    assert canonical_variant(dict(reversed(variant.items()))) == canonical
    assert canonical_variant(with_nones(variant)) == canonical
    assert canonical_variant(as_floats(variant)) == canonical


@pytest.mark.untraced
@given(VARIANTS)
def test_a_canonical_variant_is_json_and_its_own_canonical_variant(
    variant: Mapping[str, Any],
) -> None:
    canonical = canonical_variant(variant)
    assert canonical_variant(json.loads(canonical or "{}")) == canonical


@pytest.mark.untraced
@given(VARIANTS, VARIANTS)
def test_different_variants_have_different_keys(
    one: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    same = canonical_variant(one) == canonical_variant(other)
    assert (clip_of("Hello", one).key == clip_of("Hello", other).key) is same


def test_true_is_not_one_and_text_is_not_a_number() -> None:
    keys = {clip_of("Hello", {"x": value}).key for value in (True, 1, "1", "true", [1], 0, False)}
    assert len(keys) == 7


@pytest.mark.parametrize("text", ["a\r\r\nb", "a\r\r\r\n\r\nb", " \r\n a \t\r\n "])
def test_line_ends_are_normalised_once_and_for_all(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert "\r\n" not in once


def test_what_is_too_deep_or_too_long_is_refused_by_its_name() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match=r"^style must not be nested deeper than 20$"):
        canonical_variant({"style": endless})
    with pytest.raises(ValueError, match=r"^seed must have at most 1024 bits$"):
        canonical_variant({"seed": 10**5000})
