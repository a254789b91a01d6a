"""manage.py speak "text" -o file"""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.tts.doubles import StubProvider
from tts.exceptions import ProviderDown
from tts.management.commands.speak import write_whole
from tts.service import TTSService
from tts.wav import read_wav

pytestmark = pytest.mark.usefixtures("installed")


def speak(*arguments: str, text: str = "Hello there") -> str:
    out = io.StringIO()
    call_command("speak", text, *arguments, stdout=out)
    return out.getvalue()


def test_it_writes_a_file_and_tells_what_it_did(tmp_path: Path) -> None:
    file = tmp_path / "hello.wav"
    first, second = speak("-o", str(file)), speak("-o", str(file))
    assert read_wav(file.read_bytes()).sample_rate == 8000
    assert "from provider" in first
    assert "from memory" in second
    assert f"{file.stat().st_size} bytes of audio/wav" in first
    assert list(tmp_path.iterdir()) == [file]


def test_the_extension_chooses_the_format(tmp_path: Path, provider: StubProvider) -> None:
    for name, audio_format in (("a.pcm", "pcm"), ("a.raw", "pcm"), ("a.WAV", "wav"), ("a", "wav")):
        speak("-o", str(tmp_path / name), text=f"Into {name}")
        assert provider.calls[-1].audio_format == audio_format


def test_an_extension_is_made_where_the_provider_does_not_send_it(tmp_path: Path) -> None:
    speak("-o", str(tmp_path / "a.flac"))
    assert (tmp_path / "a.flac").read_bytes().startswith(b"fLaC")


def test_a_format_named_wins_over_the_extension(tmp_path: Path) -> None:
    speak("-o", str(tmp_path / "a.bin"), "--format", "pcm")


def test_a_configured_format_comes_first(tmp_path: Path, installed: TTSService) -> None:
    for config in (installed.config, installed.provider.config):
        object.__setattr__(config, "format", "pcm")
    assert "audio/pcm" in speak("-o", str(tmp_path / "a"))


def test_an_unknown_extension_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"\.tape.*wav, pcm"):
        speak("-o", str(tmp_path / "a.tape"))


def test_every_option_reaches_the_request(tmp_path: Path, provider: StubProvider) -> None:
    arguments = "--voice bass --model m --speed 2 --language de --instructions Softly --ssml"
    speak("-o", str(tmp_path / "a.wav"), *arguments.split())
    call = provider.calls[0]
    assert (call.voice, call.model, call.speed) == ("bass", "m", 2)
    assert (call.language, call.instructions, call.ssml) == ("de", "Softly", True)


def test_the_facts_come_as_json(tmp_path: Path) -> None:
    facts = json.loads(speak("-o", str(tmp_path / "a.wav"), "--json"))
    assert facts["tier"] == "provider"
    assert facts["bytes"] == (tmp_path / "a.wav").stat().st_size
    assert len(facts["key"]) == 64


def test_a_dash_writes_the_bytes_to_stdout() -> None:
    out, told = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    call_command("speak", "Hello", "-o", "-", stdout=out, stderr=told)
    binary = out.buffer
    assert isinstance(binary, io.BytesIO)
    assert read_wav(binary.getvalue()).data
    assert "from provider" in told.getvalue()


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("", (), "text must not be empty"),
        ("a\x00b", (), "text must not contain NUL"),
        ("Hello", ("--voice", "altos"), "voice.*alto"),
        ("Hello", ("--speed", "9"), "speed must be from 0.25 to 4"),
        ("Hello", ("--speed", "nan"), "speed"),
        ("Hello", ("--format", "tape"), "audio_format.*wav, pcm"),
        ("Hello", ("--namespace", "x" * 101), "namespace.*100"),
    ],
)
def test_bad_input_is_an_error_that_names_the_field(
    tmp_path: Path, text: str, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        speak("-o", str(tmp_path / "a.wav"), *arguments, text=text)
    assert list(tmp_path.iterdir()) == []


def test_a_provider_that_fails_leaves_the_old_file(tmp_path: Path, provider: StubProvider) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(b"old")
    provider.error = ProviderDown("status 500")
    with pytest.raises(CommandError, match="status 500"):
        speak("-o", str(file))
    assert file.read_bytes() == b"old"


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot write"):
        speak("-o", str(tmp_path / "no such folder" / "a.wav"))


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.wav"
    link = tmp_path / "link.wav"
    link.symlink_to(target)
    write_whole(link, b"first")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"first")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(target, b"second")
    assert sorted(tmp_path.iterdir()) == [target, link]
    assert target.read_bytes() == b"first"


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    write_whole(Path(os.devnull), b"gone")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
