"""Phrases of gettext catalogues: what a site says in a language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from polib import POEntry, POFile

    from tts.phrases import Reading

MISSING: Final = (
    "Reading .po catalogues needs a package that is not installed: "
    "pip install 'django-audiocache[po]'"
)

_PERCENT: Final = re.compile(r"%(?:\(\w+\))?[-#0 +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[a-zA-Z]")
_BRACES: Final = re.compile(r"\{[^{}]*\}")
_FORMATS: Final = {"python-format": _PERCENT, "python-brace-format": _BRACES}
_DOUBLED: Final = {"python-format": ("%%",), "python-brace-format": ("{{", "}}")}
_LINE: Final = re.compile(r"\(line (\d+)\)")


def read_po(path: Path, reading: Reading) -> None:
    """Translations, each plural form too. Raises ImproperlyConfigured without its extra.

    Left out and counted: fuzzy, obsolete, untranslated, and those with placeholders.
    """
    catalogue = _open(path, reading)
    for entry in catalogue or ():
        if reason := _reason(entry):
            reading.left_out[reason] += 1
            continue
        for text in _texts(entry, reading):
            _take(f"{path}:{entry.linenum}", text, entry, reading)


def _open(path: Path, reading: Reading) -> POFile | None:
    try:
        import polib
    except ImportError as error:
        raise ImproperlyConfigured(MISSING) from error
    # Given a name that does not exist, polib takes it for the catalogue itself.
    path.open("rb").close()
    try:
        return polib.pofile(str(path))
    except (OSError, UnicodeError, LookupError, ValueError) as error:
        line = _LINE.search(str(error))
        place = f"{path}:{line.group(1)}" if line else str(path)
        reading.wrong(place, "file is not a gettext catalogue")
        return None


def _reason(entry: POEntry) -> str | None:
    if entry.obsolete:
        return "obsolete"
    return "fuzzy" if "fuzzy" in entry.flags else None


def _texts(entry: POEntry, reading: Reading) -> Iterator[str]:
    forms = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
    found = [form for form in forms if form.strip()]
    if not found and reading.use_source:
        found = [form for form in (entry.msgid, entry.msgid_plural) if form.strip()]
    if not found:
        reading.left_out["untranslated"] += 1
    # Two plural forms are often the same.
    yield from dict.fromkeys(found)


def _take(place: str, text: str, entry: POEntry, reading: Reading) -> None:
    if reading.keep_placeholders:
        reading.add(place, {"text": text})
        return
    for flag in [flag for flag in _FORMATS if flag in entry.flags]:
        plain = text
        for doubled in _DOUBLED[flag]:
            plain = plain.replace(doubled, "")
        if _FORMATS[flag].search(plain):
            reading.left_out["placeholders"] += 1
            return
        for doubled in _DOUBLED[flag]:
            text = text.replace(doubled, doubled[0])
    reading.add(place, {"text": text})
