"""SSML for espeak: what is handed on, what becomes text, what is refused; it kills no process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest
from tts.providers.espeak import EspeakProvider
from tts.providers.espeak_ssml import rewritten
from tts.speech import SpeechRequest

FUZZ = Path(__file__).parents[2] / "sites" / "espeak_fuzz.py"
DOCUMENTS = 150


def fuzz(seed: int, documents: int) -> tuple[int, str]:
    """Its return code, below 0 where a signal ended it, and what it said."""
    run = subprocess.run(
        [sys.executable, str(FUZZ), str(seed), str(documents)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHONPATH": str(FUZZ.parents[2])},
    )
    return run.returncode, run.stdout


def test_no_ssml_ends_the_process() -> None:
    code, said = fuzz(1, DOCUMENTS)
    assert (code, said.split()[::2]) == (0, ["spoken", "refused"])


@pytest.mark.soak
def test_no_ssml_ends_the_process_whatever_chance_writes() -> None:
    seeds = range(2, 5 if os.environ.get("SOAK") == "short" else 60)
    assert [seed for seed in seeds if fuzz(seed, 600)[0] != 0] == []


def named(field: str, name: str) -> str:
    return f"{field}-{name}"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("<speak version='1.0' xmlns='x'>a &amp; b</speak>", "<speak>a &amp; b</speak>"),
        ("<?xml version='1.0'?><speak><!-- b --><![CDATA[<]]></speak>", "<speak>&lt;</speak>"),
        ("<speak xml:lang='de'/>", '<speak xml:lang="language-de"></speak>'),
        ("<speak><voice name='x'/></speak>", '<speak><voice name="voice-x"></voice></speak>'),
        ("<speak><break time='1.5s'/>a</speak>", '<speak><break time="1500ms"/>a</speak>'),
        (
            "<speak><prosody rate='-10%' pitch='x-high'>a</prosody></speak>",
            '<speak><prosody pitch="x-high" rate="-10%">a</prosody></speak>',
        ),
        ("<speak><say-as interpret-as='digits'>a🙂</say-as> bc</speak>", "<speak>a 🙂 bc</speak>"),
        ("<speak><say-as interpret-as='date'>1 May</say-as></speak>", "<speak>1 May</speak>"),
        ("<speak><sub alias='W3 &lt;'>x<p>y</p></sub> z</speak>", "<speak>W3 &lt; z</speak>"),
        (
            "<speak><voice gender='female' age='.5' variant='2'>a</voice></speak>",
            '<speak><voice age=".5" gender="female" variant="2">a</voice></speak>',
        ),
        (
            "<speak xml:base='x' xmlns:a='b'><metadata>m<p>n</p></metadata><p id='c'>d</p></speak>",
            "<speak><p>d</p></speak>",
        ),
        (
            "<speak><paragraph><lang xml:lang='de'>a</lang></paragraph></speak>",
            '<speak><p><voice xml:lang="language-de">a</voice></p></speak>',
        ),
        ("<speak><break time='.5s'/>a</speak>", '<speak><break time="500ms"/>a</speak>'),
        ("<speak><audio src='/etc/passwd'>no</audio><mark name='m'/></speak>", "<speak>no</speak>"),
    ],
)
def test_what_the_library_is_given(given: str, written: str) -> None:
    assert rewritten(given, named) == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<speak><foreign>confidential</foreign></speak>", "<foreign>"),
        ("<speak><prosody contour='(0%,+5Hz)'>confidential</prosody></speak>", "contour"),
        ("<speak><prosody rate='very &quot;'>confidential</prosody></speak>", "rate"),
        ("<speak><break time='61s'/>confidential</speak>", "60000ms"),
        ("<speak><break time='soon'/>confidential</speak>", "60000ms"),
        ("<speak><voice gender='&quot;'>confidential</voice></speak>", "gender"),
        (f"<speak>{'<p>' * 16}confidential{'</p>' * 16}</speak>", "16 elements"),
        ("<speak>confidential", "no element found"),
        ("confidential", "line 1"),
    ],
)
def test_what_it_cannot_speak_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(InvalidSpeechRequest, match=words) as caught:
        EspeakProvider(TTSConfig()).complete(SpeechRequest(text, ssml=True))
    assert caught.value.field == "text"
    assert "confidential" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("<speak xml:lang='tlh'>x</speak>", "language"),
        ("<speak><voice name='nobody'>x</voice></speak>", "voice"),
    ],
)
def test_its_voices_are_the_providers(text: str, field: str) -> None:
    with pytest.raises(InvalidSpeechRequest) as caught:
        EspeakProvider(TTSConfig()).complete(SpeechRequest(text, ssml=True))
    assert caught.value.field == field


def test_a_voice_with_a_variant_is_one() -> None:
    text = "<speak><voice name='de+f3'>x</voice></speak>"
    EspeakProvider(TTSConfig()).complete(SpeechRequest(text, ssml=True))
