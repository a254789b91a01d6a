"""Phrases in files: what is taken, what is left out, and every problem with its place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tts.phrases import Reading, read
from tts.speech import SpeechRequest

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def reading_of(path: Path, **how: Any) -> Reading:
    reading = Reading(**how)
    read(path, reading)
    return reading


def texts(reading: Reading) -> list[str]:
    assert reading.problems == []
    return [phrase.request.text for phrase in reading.phrases]


# Text


def test_a_text_file_has_a_phrase_a_line(write: Write) -> None:
    reading = reading_of(write("a.txt", "\ufeffHello\r\n\n# a comment\n  Good day \n"))
    assert texts(reading) == ["Hello", "Good day"]
    assert [phrase.place.rpartition(":")[2] for phrase in reading.phrases] == ["1", "4"]


def test_lines_that_are_not_utf_8_are_named_and_the_others_read(write: Write) -> None:
    path = write("a.txt", b"good\n\xff\xfe\nbetter\n\xc3\n")
    reading = reading_of(path)
    assert reading.problems == [f"{path}:2: line must be UTF-8", f"{path}:4: line must be UTF-8"]
    assert len(reading.phrases) == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("none.txt", "none.csv", "none.jsonl", "none.po"):
        path = tmp_path / name
        assert reading_of(path).problems == [
            f"{path}: file cannot be read: No such file or directory"
        ]


# JSON lines


def test_json_lines_have_the_fields_of_a_request(write: Write) -> None:
    path = write(
        "a.jsonl",
        '{"text": "Hello", "voice": "bass", "format": "pcm", "speed": 2, "ssml": false,'
        ' "options": {"transpose": 1}, "model": null}\n\n{"text": "Bye"}\n',
    )
    reading = reading_of(path, defaults={"voice": "alto", "language": "de"})
    assert [phrase.request for phrase in reading.phrases] == [
        SpeechRequest(
            "Hello",
            voice="bass",
            audio_format="pcm",
            speed=2,
            language="de",
            options={"transpose": 1},
        ),
        SpeechRequest("Bye", voice="alto", language="de"),
    ]


def test_every_problem_of_json_lines_is_named(write: Write) -> None:
    path = write(
        "a.jsonl",
        "{\n[1]\n"
        '{"voice": "bass"}\n'
        '{"text": 5}\n'
        '{"text": " ", "speed": true}\n'
        '{"text": "x", "sample_rate": 1.5, "ssml": 1, "colour": "red"}\n'
        '{"text": "good"}\n',
    )
    reading = reading_of(path)
    said = [problem.removeprefix(f"{path}:") for problem in reading.problems]
    assert said[:6] == [
        "1: line must be JSON",
        "2: line must be a JSON object",
        "3: text is missing",
        "4: text must be text",
        "5: speed must be a number",
        "5: text must not be empty or blank",
    ]
    assert said[6:8] == ["6: sample_rate must be a whole number", "6: ssml must be true or false"]
    assert said[8].startswith("6: 'colour' is unknown; known are text, format, instructions,")
    assert [phrase.request.text for phrase in reading.phrases] == ["good"]


# CSV


def test_csv_has_a_header(write: Write) -> None:
    path = write(
        "a.csv",
        "\ufefftext,voice,format,speed,ssml,options\r\n"
        '"Hello, you",bass,pcm,1.5,TRUE,"{""transpose"": 1}"\r\n'
        "\r\n,,,,,\r\n"
        '"two\nlines",,,,,\r\n'
        "short\r\n",
    )
    reading = reading_of(path)
    assert [phrase.request for phrase in reading.phrases] == [
        SpeechRequest(
            "Hello, you",
            voice="bass",
            audio_format="pcm",
            speed=1.5,
            ssml=True,
            options={"transpose": 1},
        ),
        SpeechRequest("two\nlines"),
        SpeechRequest("short"),
    ]


def test_a_cell_of_nested_brackets_is_a_problem_of_its_line(write: Write) -> None:
    reading = reading_of(write("a.csv", f"text,options\nHello,{'[' * 100_000}\nBye,\n"))
    assert [problem.rpartition(": ")[2] for problem in reading.problems] == [
        "options must be an object"
    ]
    assert [phrase.request.text for phrase in reading.phrases] == ["Bye"]


def test_every_problem_of_csv_is_named(write: Write) -> None:
    path = write("a.csv", "text,speed\nHello,fast\n,1\na,1,more\n")
    assert [problem.removeprefix(f"{path}:") for problem in reading_of(path).problems] == [
        "2: speed must be a number",
        "3: text must not be empty or blank",
        "4: line has 3 cells, the header 2",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "1: header must name a column text"),
        ("phrase\nHello\n", "1: header must name a column text"),
        ("text,colour\n", "1: column 'colour' is unknown; known are text"),
        ("text,voice,voice\n", "1: column 'voice' stands there 2 times"),
        ('text\n"open\n', "2: line is not CSV: unexpected end of data"),
    ],
)
def test_a_wrong_csv(write: Write, content: str, problem: str) -> None:
    path = write("a.csv", content)
    assert reading_of(path).problems[0].startswith(f"{path}:{problem}")


def test_a_csv_that_is_not_utf_8(write: Write) -> None:
    path = write("a.csv", b"text\n\xff\n")
    assert reading_of(path).problems == [f"{path}: file must be UTF-8"]


# Catalogues

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
CATALOGUE = (
    HEADER
    + """
msgid "Yes"
msgstr "Ja"

#, fuzzy
msgid "No"
msgstr "Nie"

msgid "Later"
msgstr ""

msgid "%d day"
msgid_plural "%d days"
msgstr[0] "ein Tag"
msgstr[1] "Tage"

#, python-format
msgid "Hello %(name)s"
msgstr "Hallo %(name)s"

#, python-format
msgid "100%% of %s"
msgstr "100%% sicher"

#, python-brace-format
msgid "Dear {name}"
msgstr "Liebe {name}"

#, python-brace-format
msgid "{{x}}"
msgstr "so {{geht}} es"

msgid "50 % off {today}"
msgstr "50 % billiger {heute}"

#~ msgid "Old"
#~ msgstr "Alt"
"""
)


def test_a_catalogue_gives_its_translations(write: Write) -> None:
    reading = reading_of(write("de.po", CATALOGUE))
    assert texts(reading) == [
        "Ja",
        "ein Tag",
        "Tage",
        "100% sicher",
        "so {geht} es",
        "50 % billiger {heute}",
    ]
    assert reading.left_out == {"fuzzy": 1, "obsolete": 1, "untranslated": 1, "placeholders": 2}


def test_a_catalogue_names_the_line_of_a_message(write: Write) -> None:
    path = write("de.po", CATALOGUE)
    line = CATALOGUE.splitlines().index('msgid "Yes"') + 1
    assert reading_of(path).phrases[0].place == f"{path}:{line}"


def test_the_source_stands_in_for_a_translation_when_asked(write: Write) -> None:
    reading = reading_of(write("de.po", CATALOGUE), use_source=True)
    assert "Later" in texts(reading)
    assert "untranslated" not in reading.left_out


def test_placeholders_are_kept_when_asked(write: Write) -> None:
    reading = reading_of(write("de.po", CATALOGUE), keep_placeholders=True)
    assert "Hallo %(name)s" in texts(reading)
    assert "Liebe {name}" in texts(reading)
    assert "placeholders" not in reading.left_out


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (HEADER + 'msgid "Yes"\nsecret words\n', ":5"),
        (b'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\xff', ""),
        ('msgid ""\nmsgstr "Content-Type: text/plain; charset=none\\n"\n', None),
    ],
)
def test_what_is_no_catalogue(write: Write, content: str | bytes, place: str | None) -> None:
    path = write("de.po", content)
    problems = reading_of(path).problems
    if place is not None:
        assert problems == [f"{path}{place}: file is not a gettext catalogue"]
    assert "secret" not in str(problems)


def test_without_the_extra_a_catalogue_names_the_pip_command(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polib", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'django-audiocache\[po\]'"):
        reading_of(write("de.po", CATALOGUE))
