"""Phrases to speak, read from files: text, CSV, JSON lines and gettext catalogues.

A file is read to its end whatever is wrong in it; `Reading.problems` has each place with its
field, and no text.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from tts.speech import SpeechRequest

COMMENT: Final = "#"
ALIASES: Final = {"format": "audio_format"}
"""Names in files that differ from the request's."""

_NUMBER: Final = "a number"
_TEXT: Final = "text"
_TYPES: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "text": ((str,), _TEXT),
    "voice": ((str,), _TEXT),
    "model": ((str,), _TEXT),
    "audio_format": ((str,), _TEXT),
    "speed": ((int, float), _NUMBER),
    "language": ((str,), _TEXT),
    "instructions": ((str,), _TEXT),
    "ssml": ((bool,), "true or false"),
    "sample_rate": ((int,), "a whole number"),
    "options": ((dict,), "an object"),
    "provider": ((str,), _TEXT),
    "voice_revision": ((str,), _TEXT),
}
FIELDS: Final = ", ".join(["text", *sorted({*_TYPES, *ALIASES} - {"text", *ALIASES.values()})])
"""What a file may say of a phrase."""


class Phrase(NamedTuple):
    """A request, and where it stands: file and line."""

    request: SpeechRequest
    place: str


@dataclass(slots=True)
class Reading:
    """What was read so far."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Request fields for phrases that do not say themselves."""
    keep_placeholders: bool = False
    """Of catalogues: take messages with %(name)s or {name} as they are."""
    use_source: bool = False
    """Of catalogues: take the msgid where there is no translation."""
    phrases: list[Phrase] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Messages that are not to be spoken, by reason."""
    problems: list[str] = field(default_factory=list)

    def add(self, place: str, fields: Mapping[str, Any]) -> None:
        """Take a phrase, or note what is wrong with its fields."""
        given = {ALIASES.get(name, name): value for name, value in fields.items()}
        given = {name: value for name, value in given.items() if value is not None}
        if wrong := list(_wrong(given)):
            self.problems += [f"{place}: {problem}" for problem in wrong]
            return
        self.phrases.append(Phrase(SpeechRequest(**{**self.defaults, **given}), place))

    def wrong(self, place: str, problem: str) -> None:
        """Note a problem; it must not repeat the text."""
        self.problems.append(f"{place}: {problem}")


def read(path: Path, reading: Reading) -> None:
    """Read a file into `reading`; the kind is told from the extension, else it is text."""
    from tts.catalogues import read_po

    readers: dict[str, Callable[[Path, Reading], None]] = {
        ".po": read_po,
        ".csv": read_csv,
        ".jsonl": read_json_lines,
        ".ndjson": read_json_lines,
    }
    try:
        readers.get(path.suffix.lower(), read_text)(path, reading)
    except OSError as error:
        reading.wrong(str(path), f"file cannot be read: {error.strerror}")


def read_text(path: Path, reading: Reading) -> None:
    """One phrase a line; blank lines and those that begin with # are left."""
    for place, line in _lines(path, reading):
        if not line.startswith(COMMENT):
            reading.add(place, {"text": line})


def read_json_lines(path: Path, reading: Reading) -> None:
    """One object a line, with the fields of a SpeechRequest."""
    for place, line in _lines(path, reading):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            reading.wrong(place, "line must be JSON")
            continue
        if isinstance(fields, dict):
            reading.add(place, fields)
        else:
            reading.wrong(place, "line must be a JSON object")


def read_csv(path: Path, reading: Reading) -> None:
    """Columns named in the first row; `text` is one of them, an empty cell says nothing."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream, strict=True)
            _read_rows(path, rows, reading)
    except UnicodeDecodeError:
        reading.wrong(str(path), "file must be UTF-8")


def _read_rows(path: Path, rows: Any, reading: Reading) -> None:
    try:
        header = [name.strip() for name in next(rows, [])]
        if problems := list(_wrong_header(header)):
            for problem in problems:
                reading.wrong(f"{path}:1", problem)
            return
        for cells in rows:
            _read_cells(f"{path}:{rows.line_num}", header, cells, reading)
    except csv.Error as error:
        reading.wrong(f"{path}:{rows.line_num}", f"line is not CSV: {error}")


def _wrong_header(header: list[str]) -> Iterator[str]:
    if "text" not in header:
        yield "header must name a column text"
    for name, times in Counter(header).items():
        if ALIASES.get(name, name) not in _TYPES:
            yield f"column {name!r} is unknown; known are {FIELDS}"
        elif times > 1:
            yield f"column {name!r} stands there {times} times"


def _read_cells(place: str, header: list[str], cells: list[str], reading: Reading) -> None:
    if not any(cells):
        return
    if len(cells) > len(header):
        reading.wrong(place, f"line has {len(cells)} cells, the header {len(header)}")
        return
    pairs = zip(header, cells, strict=False)
    fields = {name: _from_cell(name, cell) for name, cell in pairs if cell.strip()}
    reading.add(place, {"text": ""} | fields)


def _from_cell(name: str, cell: str) -> Any:
    if name in ALIASES or _TYPES[name][0] == (str,):
        return cell if name == "text" else cell.strip()
    try:
        return json.loads(cell.strip().lower() if name == "ssml" else cell)
    except (ValueError, RecursionError):
        return cell


def _lines(path: Path, reading: Reading) -> Iterator[tuple[str, str]]:
    """Place and text of each line that is not blank, trimmed; one that is not UTF-8 is noted."""
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            place = f"{path}:{number}"
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError:
                reading.wrong(place, "line must be UTF-8")
                continue
            if line:
                yield place, line


def _wrong(fields: Mapping[str, Any]) -> Iterator[str]:
    if "text" not in fields:
        yield "text is missing"
    for name, value in fields.items():
        if name not in _TYPES:
            yield f"{name!r} is unknown; known are {FIELDS}"
            continue
        types, what = _TYPES[name]
        is_bool = isinstance(value, bool) and bool not in types
        if is_bool or not isinstance(value, types):
            yield f"{name} must be {what}"
    if isinstance(fields.get("text"), str) and not fields["text"].strip():
        yield "text must not be empty or blank"
