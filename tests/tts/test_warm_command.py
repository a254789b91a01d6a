"""manage.py audiocache warm: speak ahead of time, once, within limits, and tell."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audiocache import MultiTierAudioCache
from audiocache.builder import replace_audio_cache
from audiocache.exceptions import TierUnavailable
from audiocache.management.output import Output
from audiocache.pulse import pulse
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE
from tests.factories import WarmPhraseFactory
from tests.tts.doubles import StubProvider
from tts.exceptions import NotAudio, QuotaSpent
from tts.management.progress import progress
from tts.service import TTSService, get_tts_service, set_tts_service

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(*lines: str, name: str = "phrases.txt") -> str:
        path = tmp_path / name
        path.write_text("\n".join(lines))
        return str(path)

    return make


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(*words: str, err: io.StringIO | None = None) -> str:
    out = io.StringIO()
    call_command("audiocache", "warm", *words, stdout=out, stderr=err or io.StringIO())
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def refusal(*words: str) -> CommandError:
    with pytest.raises(CommandError) as refused:
        run(*words)
    return refused.value


@pytest.fixture(
    params=[
        pytest.param("audiocache", marks=ON_SQLITE),
        pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
    ]
)
def stored(request: pytest.FixtureRequest, settings: Any) -> Iterator[TTSService]:
    """The service of the process on a cache with a database."""
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": request.param, "PERSISTENT_MAX_SIZE": 5}
    yield get_tts_service()
    set_tts_service(None)
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


# Making


def test_what_is_missing_is_made_and_what_is_stored_is_skipped(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    file = write("Hello", "Bye", "Hello", "  Hello  ")
    report = run_json(file)
    assert (report["stored"], report["skipped"], report["duplicates"]) == (2, 0, 2)
    assert len(provider.calls) == 2
    again = run_json(file)
    assert (again["stored"], again["skipped"]) == (0, 2)
    assert len(provider.calls) == 2
    assert installed.synthesize_text_sync("Hello")
    assert len(provider.calls) == 2


def test_looking_what_is_stored_counts_no_misses(
    installed: TTSService, cache: MultiTierAudioCache, write: Write
) -> None:
    file = write("Hello")
    run(file)
    before = cache.recorder.totals()
    run(file)
    assert cache.recorder.totals() == before


def test_the_options_say_how_it_sounds(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    file = write("text,voice", "one,tenor", "two,", name="a.csv")
    run(file, "--voice", "bass", "--format", "pcm", "--language", "de", "--namespace", "menu")
    said = [(call.voice, call.audio_format, call.language) for call in provider.calls]
    assert said == [("tenor", "pcm", "de"), ("bass", "pcm", "de")]


def test_several_files_and_the_phrases_of_the_admin(
    db: None, installed: TTSService, provider: StubProvider, write: Write
) -> None:
    WarmPhraseFactory.create(text="kept", voice="tenor")
    WarmPhraseFactory.create(text="off", enabled=False)
    WarmPhraseFactory.create(text="plain")
    file = write("Hello")
    other = write('{"text": "Bye"}', name="b.jsonl")
    assert run_json(file, other, "--phrases", "--voice", "bass")["stored"] == 4
    said = {call.text: call.voice for call in provider.calls}
    assert said == {"Hello": "bass", "Bye": "bass", "kept": "tenor", "plain": "bass"}


def test_a_limit_leaves_the_rest_for_another_run(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    file = write("one", "two", "three")
    assert run_json(file, "--limit", "2")["over_limit"] == 1
    report = run_json(file, "--limit", "2")
    assert (report["stored"], report["skipped"], report["over_limit"]) == (1, 2, 0)


def test_what_catalogues_leave_out_is_told(installed: TTSService, write: Write) -> None:
    lines = ['msgid ""', 'msgstr "Content-Type: text/plain; charset=UTF-8\\n"', ""]
    file = write(*lines, 'msgid "Yes"', 'msgstr "Ja"', "", 'msgid "No"', 'msgstr ""', name="a.po")
    said = run(file)
    assert "untranslated" in said
    assert run_json(file, "--source")["stored"] == 1


# Failing


def test_a_phrase_that_fails_does_not_stop_the_others(
    installed: TTSService, provider: StubProvider, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("good", "bad", "better")
    make = provider.synthesize

    def synthesize(request: Any, deadline: Any) -> Any:
        if request.text == "bad":
            raise NotAudio("the answer is empty")
        return make(request, deadline)

    monkeypatch.setattr(provider, "synthesize", synthesize)
    err = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 failed\.$") as failed:
        run(file, err=err)
    assert failed.value.returncode == 1
    assert f"{file}:2: NotAudio" in err.getvalue()
    assert "bad" not in err.getvalue().replace(file, "")
    monkeypatch.undo()
    # What was refused is remembered, and not paid for again at once.
    calls, out = len(provider.calls), io.StringIO()
    with pytest.raises(CommandError, match=r"^1 failed\.$"):
        call_command("audiocache", "warm", file, "--json", stdout=out, stderr=io.StringIO())
    report = json.loads(out.getvalue())
    assert (report["skipped"], report["stored"], report["errors"]) == (2, 0, {"NotAudio": 1})
    assert len(provider.calls) == calls


def test_what_the_provider_refuses_is_named_and_the_rest_is_spoken(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    file = write("text,voice", "one,nobody", "two,bass", "three,", name="a.csv")
    err = io.StringIO()
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 failed"):
        call_command("audiocache", "warm", file, "--json", stdout=out, stderr=err)
    report = json.loads(out.getvalue())
    assert report["errors"] == {"InvalidSpeechRequest": 1}
    assert report["failures"][0].startswith(f"{file}:2: voice ")
    assert report["stored"] == 2


def test_when_all_are_refused_nothing_is_begun(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    file = write(*map(str, range(60)))
    said = str(refusal(file, "--voice", "nobody"))
    assert said.startswith("No phrase can be spoken:")
    assert "... and 10 more" in said
    assert provider.calls == []


def test_a_spent_quota_ends_the_run(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    provider.error = QuotaSpent("nothing left")
    assert "QuotaSpent: it was useless to go on, 2 not done." in str(refusal(write("a", "b", "c")))


@pytest.mark.parametrize("made", [0, 2])
def test_an_interrupted_run_says_how_far_it_came_and_can_be_run_again(
    installed: TTSService,
    provider: StubProvider,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    made: int,
) -> None:
    file = write("one", "two", "three")
    provider.remote = False  # type: ignore[misc]
    make = provider.synthesize

    def synthesize(request: Any, deadline: Any) -> Any:
        if len(provider.calls) == made:
            raise KeyboardInterrupt
        return make(request, deadline)

    monkeypatch.setattr(provider, "synthesize", synthesize)
    stopped = refusal(file)
    assert stopped.returncode == 130
    assert f"Interrupted with {3 - made} to do" in str(stopped)
    monkeypatch.undo()
    report = run_json(file)
    assert (report["stored"], report["skipped"]) == (3 - made, made)


def test_it_may_be_interrupted_while_it_looks_what_is_stored(
    installed: TTSService, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(clip: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(installed.cache, "holds", interrupt)
    stopped = refusal(write("one"))
    assert (stopped.returncode, str(stopped)) == (130, "Interrupted before the first.")


# Refusing


def test_phrases_that_do_not_fit_are_refused(stored: TTSService, write: Write) -> None:
    file = write(*(f"phrase {number}" for number in range(6)))
    said = str(refusal(file))
    assert "CACHE_PERSISTENT_MAX_SIZE is 5 rows; 0 used, 6 new" in said
    assert run_json(file, "--limit", "5")["stored"] == 5
    assert "5 used, 1 new" in str(refusal(file))
    assert run_json(file, "--force")["stored"] == 1


def test_bytes_that_do_not_fit_are_refused(stored: TTSService, write: Write, settings: Any) -> None:
    settings.AUDIOCACHE = {**settings.AUDIOCACHE, "PERSISTENT_MAX_MB": 0.02}
    said = str(refusal(write("x" * 40)))
    assert "CACHE_PERSISTENT_MAX_MB is 20,971 bytes; 0 used, about 120,000 new" in said
    assert "estimated at 3,000 a character" in said
    run(write("short"))
    assert "the mean of those stored" in str(refusal(write("a", "b", "c", "d")))


def test_when_the_database_does_not_answer_its_limits_are_not_asked(
    stored: TTSService, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise TierUnavailable("gone")

    monkeypatch.setattr(stored.cache.tiers["persistent"], "stats", fail)
    assert run_json(write(*"abcdef"))["stored"] == 6


def test_nothing_is_done_when_a_file_is_wrong(
    installed: TTSService, provider: StubProvider, write: Write
) -> None:
    good = write("Hello")
    bad = write("text,colour", "x,y", name="a.csv")
    worse = write("{", name="b.jsonl")
    said = str(refusal(good, bad, worse, "none.txt"))
    assert said.startswith("Nothing was done:\n")
    assert f"{bad}:1: column 'colour' is unknown" in said
    assert f"{worse}:1: line must be JSON" in said
    assert "none.txt: file cannot be read" in said
    assert provider.calls == []


def test_bad_options(installed: TTSService, write: Write) -> None:
    assert "Give a FILE, or --phrases" in str(refusal())
    assert "--limit must be at least 1, not 0" in str(refusal(write("a"), "--limit", "0"))


def test_warming_that_is_switched_off(settings: Any, write: Write) -> None:
    settings.AUDIOCACHE = {"BACKEND": "memory", "ENABLE_WARMING": False}
    assert "CACHE_ENABLE_WARMING is false" in str(refusal(write("a")))


def test_without_a_provider_the_setting_is_named(settings: Any, write: Write) -> None:
    settings.TTS = {}
    settings.DEBUG = False
    assert "TTS_PROVIDER is not set" in str(refusal(write("a")))


def test_memory_alone_keeps_nothing_and_that_is_said(installed: TTSService, write: Write) -> None:
    err = io.StringIO()
    run(write("a"), err=err)
    assert "the clips are gone when this process ends" in err.getvalue()


# Progress


def test_progress_is_told_on_the_error_stream(installed: TTSService, write: Write) -> None:
    err = io.StringIO()
    run(write(*map(str, range(25))), err=err)
    lines = [line for line in err.getvalue().splitlines() if "phrases" in line]
    assert re.fullmatch(r"2 of 25 phrases(, about \d+ s left)?", lines[0])  # a slow machine
    assert lines[-1] == "25 of 25 phrases"
    assert len(lines) == 13


def test_progress_on_a_terminal_is_a_bar() -> None:
    from django.core.management.base import OutputWrapper

    with progress(Output(OutputWrapper(Terminal())), 3) as advance:
        advance(3)
