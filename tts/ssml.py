"""SSML: checked before it is sent, and built where a vendor's wire knows nothing else.

SSML that a caller gives is sent as it is; what is built here around plain text is XML
whatever the text holds. Nothing is logged and no message repeats the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from xml.parsers import expat

from audiocache.keys import normalize_text
from tts.exceptions import InvalidSpeechRequest

ROOT: Final = "speak"

# XML 1.0, section 2.2, Char: these are in no document, not even escaped. NUL and lone
# surrogates are missing, as no text may have them.
_NO_CHARACTERS: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# A bare carriage return would be read as a line feed.
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;"}
)


class Document(NamedTuple):
    """What is in a well-formed SSML document."""

    spoken: str
    """The text between the tags."""
    elements: frozenset[str]
    """Names of its elements, with their prefix."""


def read(text: str) -> Document:
    """The document as it will be sent, normalised.

    Raises InvalidSpeechRequest unless it is well-formed XML with the root `speak`, in UTF-8,
    without a document type: so no entity is declared, and nothing is fetched or expanded.
    """
    reader = Reader()
    reader.read(text)
    return Document("".join(reader.spoken), frozenset(reader.elements))


def without_controls(text: str) -> str:
    """The text with a space for each character that XML cannot hold."""
    return _NO_CHARACTERS.sub(" ", text)


def escaped(text: str) -> str:
    """The text as content of an element or value of an attribute."""
    return text.translate(_ESCAPES)


def element(name: str, content: str, attributes: Mapping[str, str | None]) -> str:
    """An element around content that is XML already; an attribute of None is left out."""
    written = "".join(
        f' {attribute}="{escaped(value)}"'
        for attribute, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>"


class Reader:
    """What expat reports of one document; subclasses do more with it."""

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.elements: list[str] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._document_type
        self._parser.StartElementHandler = self._element
        self._parser.EndElementHandler = self.ended
        self._parser.CharacterDataHandler = self.text

    def read(self, text: str) -> None:
        """Once, the whole document. Raises InvalidSpeechRequest as `read` of this module."""
        try:
            self._parser.Parse(normalize_text(text).encode(), True)
        except expat.ExpatError as error:
            where = f"line {error.lineno}, column {error.offset + 1}"
            raise _invalid(f"{expat.ErrorString(error.code)} in {where}") from None

    def begun(self, name: str, _: Mapping[str, str], /) -> None:
        """An element begins."""
        self.elements.append(name)

    def text(self, text: str) -> None:
        """Text between two tags."""
        self.spoken.append(text)

    def ended(self, name: str) -> None:
        """An element ends."""

    def _declaration(self, _: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "utf8"}:
            raise _invalid("it is sent in UTF-8 and declares another encoding")

    def _document_type(self, *_: object) -> None:
        raise _invalid("it may have no document type and no entities of its own")

    def _element(self, name: str, attributes: dict[str, str]) -> None:
        if not self.elements and name != ROOT:
            raise _invalid(f"its outermost element must be <{ROOT}>")
        self.begun(name, attributes)


def _invalid(reason: str) -> InvalidSpeechRequest:
    return InvalidSpeechRequest("text", f"must be well-formed SSML: {reason}")
