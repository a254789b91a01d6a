"""SSML: what is refused, what is read, and that whatever is escaped is XML again."""

from __future__ import annotations

import contextlib
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocache.keys import normalize_text
from tts import ssml
from tts.exceptions import InvalidSpeechRequest

WORD = "confidential"


def test_the_spoken_text_and_the_elements_are_read() -> None:
    document = ssml.read("<speak>Fish &amp; <emphasis>chips</emphasis><break time='1s'/></speak>")
    assert document.spoken == "Fish & chips"
    assert document.elements == {"speak", "emphasis", "break"}


@pytest.mark.parametrize(
    "text",
    [
        "<speak>Hello</speak>",
        "<speak/>",
        '<?xml version="1.0"?><speak>Hello</speak>',
        "<?xml version='1.0' encoding='UTF-8'?><speak>Hello</speak>",
        "<!-- first --><speak>Hello</speak>",
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis">é 👋 漢</speak>',
        # No vendor asks for its prefix to be declared.
        '<speak><amazon:effect name="whispered">Hello</amazon:effect></speak>',
        "<speak><![CDATA[1 < 2]]> &#x1F600; &lt;</speak>",
    ],
)
def test_well_formed_documents_are_taken(text: str) -> None:
    ssml.read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WORD, "line 1, column 1"),
        (f"<speak>{WORD}", "no element found"),
        (f"<speak>{WORD}</voice>", "mismatched tag"),
        (f"<speak>{WORD} & more</speak>", "not well-formed"),
        (f"<speak>{WORD} &{WORD};</speak>", "undefined entity"),
        (f"<speak>{WORD}\x01</speak>", "not well-formed"),
        (f"<speak a='1' a='2'>{WORD}</speak>", "duplicate attribute"),
        (f"<speak>{WORD}</speak><speak/>", "junk after document element"),
        (f"<voice>{WORD}</voice>", "outermost element must be <speak>"),
        (f"<Speak>{WORD}</Speak>", "outermost element must be <speak>"),
        (f"<!DOCTYPE speak><speak>{WORD}</speak>", "no document type"),
        (f'<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>{WORD}</speak>', "no document type"),
        ('<!DOCTYPE s [<!ENTITY e "x">]><speak>&e;</speak>', "no document type"),
        (f"<?xml version='1.0' encoding='utf-16'?><speak>{WORD}</speak>", "another encoding"),
        # Normalisation makes one character of these two, so that is what would be sent.
        ("<speak>1 <\u0338/speak>", "no element found"),
    ],
)
def test_anything_else_is_refused_without_its_text(text: str, words: str) -> None:
    with pytest.raises(InvalidSpeechRequest, match=words) as caught:
        ssml.read(text)
    assert caught.value.field == "text"
    assert WORD not in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(str.strip))
def test_reading_raises_nothing_but_its_refusal(text: str) -> None:
    with contextlib.suppress(InvalidSpeechRequest):
        ssml.read(text)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_escaped_text_is_read_back_as_it_was_sent(text: str) -> None:
    clean = ssml.without_controls(text)
    document = ssml.element("speak", ssml.escaped(clean), {"a": clean.replace("\n", " ")})
    assert (ET.fromstring(document).text or "") == clean
    assert ssml.without_controls(clean) == clean


def test_controls_are_spaces_and_nothing_else_is_changed() -> None:
    assert ssml.without_controls("a\x01b\x0cc\x1fd\ufffee") == "a b c d e"
    untouched = "tab\t line\n ret\r del\x7f next\x85 nbsp\xa0 zwj\u200d 👩‍👩‍👧 <&>"
    assert ssml.without_controls(untouched) == untouched


def test_an_attribute_of_none_is_left_out() -> None:
    made = ssml.element("voice", "x", {"name": 'a"b', "effect": None})
    assert made == '<voice name="a&quot;b">x</voice>'


def test_the_document_is_read_as_it_is_sent() -> None:
    text = "  <speak>a \t b\r\nc</speak> "
    assert ssml.read(text).spoken == "a b\nc" == ssml.read(normalize_text(text)).spoken
