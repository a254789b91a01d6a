"""The public names, importable before Django is set up; small values behind them."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import tts
from tts import exceptions
from tts.deadline import Deadline
from tts.formats import codec_of, content_type_of, format_for

ROOT = Path(__file__).parents[2]


def test_the_public_names_are_these() -> None:
    assert {
        "SpeechRequest", "Speech", "TTSConfig", "TTSError", "TTSService", "get_tts_service",
    } <= set(tts.__all__)  # fmt: skip
    for name in tts.__all__:
        assert getattr(tts, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = tts.no_such_name


def test_they_are_imported_before_django_is_set_up() -> None:
    names = ", ".join(tts.__all__)
    code = f"from tts import {names}; import sys; assert 'tts.models' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)


def test_importing_starts_nothing() -> None:
    code = (
        "import threading, sys; import tts, tts.apps, tts.providers, tts.checks;"
        "from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['audiocache', 'tts'], TTS={'PROVIDER': 'espeak'},"
        " DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}});"
        "import django; django.setup();"
        "assert threading.active_count() == 1, threading.enumerate();"
        "assert 'espeakng_loader' not in sys.modules;"
        "assert 'tts.providers.espeak' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)


ERRORS = [
    value
    for value in vars(exceptions).values()
    if isinstance(value, type) and issubclass(value, exceptions.TTSError)
]


def test_every_error_is_on_the_tree_that_is_drawn() -> None:
    for error in ERRORS:
        assert f" {error.__name__}" in f" {exceptions.__doc__}".replace("\n", " ")


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_survives_a_pickle(error: type[exceptions.TTSError]) -> None:
    arguments = ("speed", "must be 1") if error is exceptions.InvalidSpeechRequest else ("why",)
    made = error(*arguments)
    if isinstance(made, exceptions.ProviderError):
        made.status, made.retry_after = 429, 2.5
    copy = pickle.loads(pickle.dumps(made))
    assert (type(copy), str(copy), vars(copy)) == (error, str(made), vars(made))


def test_a_provider_error_is_transient_or_final() -> None:
    kinds = [kind for kind in ERRORS if issubclass(kind, exceptions.ProviderError)]
    base = {exceptions.ProviderError, exceptions.TransientError, exceptions.FinalError}
    for kind in set(kinds) - base:
        transient = issubclass(kind, exceptions.TransientError)
        assert transient != issubclass(kind, exceptions.FinalError)


def test_a_deadline_passes_once() -> None:
    now = 100.0
    deadline = Deadline.after(2, clock=lambda: now)
    assert (deadline.remaining(), deadline.passed()) == (2, False)
    now = 103.0
    assert (deadline.remaining(), deadline.passed()) == (0, True)


@pytest.mark.parametrize(
    ("name", "codec", "content_type"),
    [
        ("mp3_44100_128", "mp3", "audio/mpeg"),
        ("opus", "opus", "audio/ogg"),
        ("wav", "wav", "audio/wav"),
        ("tape", "tape", "application/octet-stream"),
    ],
)
def test_a_format_names_its_codec(name: str, codec: str, content_type: str) -> None:
    assert (codec_of(name), content_type_of(name)) == (codec, content_type)


def test_an_extension_finds_the_first_format_that_fits() -> None:
    formats = ("mp3_44100_128", "mp3_22050_32", "opus_48000_64", "pcm_16000")
    assert format_for(".MP3", formats) == "mp3_44100_128"
    assert format_for(".ogg", formats) == "opus_48000_64"
    assert format_for("raw", formats) == "pcm_16000"
    assert format_for(".wav", formats) is None


def test_every_module_of_tts_can_be_imported() -> None:
    for file in sorted((ROOT / "tts").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        importlib.import_module(".".join(parts).removesuffix(".__init__"))
