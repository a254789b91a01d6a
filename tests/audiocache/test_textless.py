"""Where no text may be stored, none stands in a variant; keys stay what they are."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from audiocache.codec import encode
from audiocache.entries import Life, Recording, entry_of
from audiocache.keys import clip_of
from audiocache.textless import without_texts

TEXTS = ("instructions", "options.previous_text", "options.extra_body")
VARIANT = {
    "instructions": "Like a Kabeljau.",
    "options": {"extra_body": {"hint": "Kabeljau"}, "previous_text": "Kabeljau", "seed": 7},
    "voice": "nova",
}


def test_digests_stand_for_texts() -> None:
    found = json.loads(without_texts(clip_of("Hello", VARIANT).variant, TEXTS))
    digest = "sha256:" + sha256(b'"Like a Kabeljau."').hexdigest()
    assert found["instructions"] == digest
    assert found["voice"] == "nova"
    assert found["options"]["seed"] == 7
    assert set(found["options"]) == set(VARIANT["options"])
    assert "Kabeljau" not in json.dumps(found)


@pytest.mark.parametrize(
    "variant",
    ["", '{"voice":"nova"}', '{"options":{"extra_body":{}}}', '{"options":"previous_text"}'],
)
def test_what_holds_no_text_stays_as_it_is(variant: str) -> None:
    assert without_texts(variant, TEXTS) == variant


def test_other_texts_are_other_variants_and_the_same_are_the_same() -> None:
    others = [VARIANT, VARIANT | {"instructions": "Softly."}, VARIANT]
    found = [without_texts(clip_of("Hello", other).variant, TEXTS) for other in others]
    assert found[0] == found[2] != found[1]


def test_names_change_no_key() -> None:
    assert clip_of("Hello", VARIANT, texts=TEXTS).key == clip_of("Hello", VARIANT).key
    assert clip_of("Hello", VARIANT, texts=TEXTS).source_key == clip_of("Hello", VARIANT).source_key


@pytest.mark.parametrize("store_text", [True, False])
def test_an_entry_and_its_envelope_hold_them_only_where_they_may(store_text: bool) -> None:
    clip = clip_of("Hello", VARIANT, texts=TEXTS)
    entry = entry_of(clip, Recording(audio=b"RIFF"), Life(1, 2, 3), store_text=store_text)
    assert ("Kabeljau" in entry.variant) is store_text
    assert (b"Kabeljau" in encode(entry, 1)) is store_text
    assert entry.key == clip.key
    assert entry.label("voice") == "nova"
