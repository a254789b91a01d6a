"""Sentences out of Django's own translations, from the compiled catalogues that it ships."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import django

_LITTLE_ENDIAN: Final = b"\xde\x12\x04\x95"
_LENGTHS: Final = range(20, 91)
"""Characters of a phrase."""
_NOT_SPOKEN: Final = re.compile(r"[%{}<>&\n\t_/\\|=*@#()\[\]]")
"""Placeholders, markup and what nobody reads aloud."""


def sentences(locale: str) -> list[str]:
    """Plain sentences of a locale such as pt_BR, each once, in the catalogues' order."""
    package, name = Path(django.__file__).parent, f"locale/{locale}/LC_MESSAGES/django.mo"
    # Where they are: to look for them in all of Django's folders takes longer than to read them.
    files = [*package.glob(f"conf/{name}"), *sorted(package.glob(f"contrib/*/{name}"))]
    translated = chain.from_iterable(map(_messages, files))
    return list(dict.fromkeys(text for source, text in translated if _is_spoken(source, text)))


def _is_spoken(source: str, text: str) -> bool:
    """The header has no source; plurals are joined by a NUL; some are left as in English."""
    return (
        bool(source)
        and text != source
        and "\0" not in text
        and len(text) in _LENGTHS
        and len(text.split()) > 3
        and text.endswith((".", "!", "?"))
        and not _NOT_SPOKEN.search(text)
    )


def _messages(path: Path) -> Iterator[tuple[str, str]]:
    """(source, translation) pairs. The format is in GNU gettext's manual, "MO Files"."""
    raw = path.read_bytes()
    order = "<" if raw.startswith(_LITTLE_ENDIAN) else ">"
    number, sources, translations = struct.unpack_from(f"{order}3I", raw, 8)
    for index in range(number):
        yield (
            _text(raw, order, sources + 8 * index),
            _text(raw, order, translations + 8 * index),
        )


def _text(raw: bytes, order: str, at: int) -> str:
    length, start = struct.unpack_from(f"{order}2I", raw, at)
    return raw[start : start + length].decode()
