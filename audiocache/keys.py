"""Which clip is which: text and variant in, a key of 64 hex characters out.

The key of bare text is sha256(text). With a variant or a namespace it is the sha256 of
four lines: schema, namespace, text digest, canonical variant. So a variant can be given to
an entry whose text is not known. `tests/audiocache/test_keys.py` freezes all of it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from django.utils.functional import Promise

from audiocache.canonical import canonical
from audiocache.entries import Clip

SCHEMA: Final = "audiocache:1"
RESERVED: Final = frozenset({"content_type", "ttl_seconds", "tags", "namespace"})
MAX_NAMESPACE: Final = 100

_BLANKS: Final = re.compile(r"[ \t]+")
_LINE_ENDS: Final = re.compile(r"\r+\n")
"""CRLF; with what a second pass would find, so that normalised text stays as it is."""
MAX_DEPTH: Final = 20
MAX_BITS: Final = 1024


def clip_of(
    text: str,
    variant: Mapping[str, object] | None = None,
    namespace: str = "",
    *,
    source_variant: Mapping[str, object] | None = None,
    texts: tuple[str, ...] = (),
) -> Clip:
    """The clip of this text in this variant; of `source_variant` it is a rendition.

    `texts` names the parameters that hold text: they are in the key as any other.
    Raises TypeError or ValueError that names the parameter.
    """
    normal = normalize_text(text)
    digest = text_digest(normal)
    canonical = canonical_variant(variant or {})
    _check_namespace(namespace)
    key = clip_key(digest, canonical, namespace)
    source = key
    if source_variant is not None:
        source = clip_key(digest, canonical_variant(source_variant), namespace)
    given = None if normal == text else text_digest(str(text))
    legacy = given and clip_key(given, canonical, namespace)
    return Clip(key, digest, normal, canonical, namespace, source, legacy, given, texts)


def normalize_text(text: str) -> str:
    """NFC, CRLF to LF, trimmed, runs of spaces and tabs to one space. Case is kept.

    Raises TypeError when it is not text, ValueError when it is blank or holds NUL or a lone
    surrogate.
    """
    if isinstance(text, Promise):
        text = str(text)
    if not isinstance(text, str):
        raise TypeError(f"text must be str, not {type(text).__name__}")
    normal = _in_one_form(text).strip()
    _check_text(normal)
    return normal


def _in_one_form(text: str) -> str:
    # Most texts have nothing to be changed, and to see that costs a tenth of changing it.
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\r\n" in text:
        text = _LINE_ENDS.sub("\n", text)
    return _BLANKS.sub(" ", text) if "  " in text or "\t" in text else text


def _check_text(text: str) -> None:
    if not text:
        raise ValueError("text must not be empty or blank")
    if "\x00" in text:
        raise ValueError("text must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text must not contain lone surrogates") from None


def _check_namespace(namespace: str) -> None:
    if not isinstance(namespace, str):
        raise TypeError(f"namespace must be str, not {type(namespace).__name__}")
    if len(namespace) > MAX_NAMESPACE or not (namespace.isprintable() and encodes(namespace)):
        raise ValueError(f"namespace must have at most {MAX_NAMESPACE} characters, all printable")


def encodes(text: str) -> bool:
    """Can it be written in UTF-8? Lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_digest(text: str) -> str:
    """sha256 of the text in UTF-8, in hex."""
    return sha256(text.encode()).hexdigest()


def clip_key(digest: str, canonical: str = "", namespace: str = "") -> str:
    """The key of a text digest in a canonical variant and a namespace."""
    if not canonical and not namespace:
        return digest
    return sha256(f"{SCHEMA}\n{namespace}\n{digest}\n{canonical}".encode()).hexdigest()


def canonical_variant(variant: Mapping[str, object]) -> str:
    """The variant as JSON with sorted names; empty when nothing is in it.

    None is absent, an integral float is its int. Raises TypeError or ValueError that names
    the parameter.
    """
    plain = {name: _plain(value, name) for name, value in variant.items() if value is not None}
    for name in plain:
        _check_name(name, name)
    if reserved := RESERVED.intersection(plain):
        raise TypeError(f"{min(reserved)} is reserved and cannot be part of a variant")
    return canonical(plain) if plain else ""


def _plain(value: object, name: str, depth: int = 0) -> object:
    """The value in its one canonical shape, checked all the way down."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{name.partition('[')[0]} must not be nested deeper than {MAX_DEPTH}")
    if isinstance(value, bool | int):
        return _plain_int(value, name)
    if isinstance(value, str):
        return _plain_text(value, name)
    if isinstance(value, float):
        return _plain_float(value, name)
    if isinstance(value, list):
        return [_plain(item, f"{name}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return _plain_dict(value, name, depth + 1)
    raise TypeError(
        f"{name} must be str, bool, int, float, or a list or dict of these, "
        f"not {type(value).__name__}"
    )


def _plain_int(value: int, name: str) -> int:
    if value.bit_length() > MAX_BITS:
        raise ValueError(f"{name} must have at most {MAX_BITS} bits")
    return value


def _plain_text(value: str, name: str) -> str:
    if not encodes(value):
        raise ValueError(f"{name} must not contain lone surrogates")
    return value


def _plain_float(value: float, name: str) -> float | int:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
    return int(value) if value.is_integer() else value


def _plain_dict(value: dict[object, object], name: str, depth: int) -> dict[str, object]:
    plain = {}
    for key, item in value.items():
        inner = f"{name}.{_check_name(key, name)}"
        if item is not None:
            plain[str(key)] = _plain(item, inner, depth)
    return plain


def _check_name(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{name} must have str names, not {type(key).__name__}")
    return _plain_text(key, name)
