"""`audiocache.testing`: by itself, in its documentation, and in a project of a user's own."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.signals import setting_changed
from django.test import SimpleTestCase, override_settings

import audiocache.testing
from audiocache import CacheConfig, MultiTierAudioCache, builder, get_audio_cache
from audiocache.content_types import sniff
from audiocache.pulse import pulse
from audiocache.testing import OverrideSpeech, SpeechCalls, in_force, override_speech
from audiocache.testing.sounds import CODECS, sound
from audiocache.workers import Inline
from tts import InvalidSpeechRequest, NotAudio, SpeechRequest, TTSConfig, TTSError, TTSService
from tts import get_tts_service as get_service
from tts.deadline import Deadline
from tts.formats import content_type_of

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "tests/sites/testing_sample"
DOCS = (ROOT / "docs/testing.md").read_text()

tts_service: Any = import_module("tts.service")

say = "Hello there"


@pytest.fixture(autouse=True)
def _former() -> Iterator[None]:
    """Whatever a test did, what the process had is back afterwards. Of earlier tests it has none:
    settings that a test changes would end it.
    """
    if (left := builder.replace_audio_cache(None)) is not None:
        left.close(flush=False)  # a test may forbid all queries
    cache, service = builder._cache, tts_service._Process.service
    build = tts_service.build_provider
    yield
    assert builder._cache is cache
    assert tts_service._Process.service is service
    assert tts_service.build_provider is build
    assert not in_force.overrides._stack
    assert in_force.overrides.on_setting_changed not in setting_changed._live_receivers(None)[0]


@pytest.fixture
def speech() -> Iterator[SpeechCalls]:
    with override_speech() as calls:
        yield calls


def speak(text: str = say, **how: Any) -> bytes:
    return get_service().synthesize_text_sync(text, **how)


# What is in its place


def test_the_process_has_an_empty_cache_in_memory_alone(speech: SpeechCalls) -> None:
    cache = get_audio_cache()
    assert cache is speech.cache
    assert list(cache.tiers) == ["memory"]
    assert isinstance(cache.executor, Inline)
    assert cache.get(say) is None
    assert get_service() is speech.service
    assert get_service().cache is cache


def test_law_13_no_thread_and_no_pulse(speech: SpeechCalls) -> None:
    pulse.stop()
    threads = set(threading.enumerate())
    get_audio_cache().put("a", b"b")
    speak()
    get_audio_cache().clear()
    get_audio_cache().flush()
    get_audio_cache().get_comprehensive_stats()
    assert set(threading.enumerate()) == threads
    assert not pulse.running


def test_it_does_not_take_the_store_of_a_cache_of_the_site() -> None:
    backend = {"BACKEND": "audiocache.backends.MemoryCache"}
    with override_settings(CACHES={"default": backend, "audiocache": backend}):
        MultiTierAudioCache(CacheConfig(backend="memory")).put("a", b"held by the site")
        with override_speech() as speech:
            assert get_audio_cache().get("a") is None
            assert speech.stored == []


def test_a_thousand_clips_stay_though_the_site_has_little_memory() -> None:
    settings = override_settings(AUDIOCACHE={"MEMORY_MAX_SIZE": 0, "MEMORY_MAX_MB": 0})
    with settings, override_speech() as speech:
        get_audio_cache().put_many([(str(n), b"x" * 1000) for n in range(1000)])
        assert len(speech.stored) == 1000


# Calls


def test_calls_are_listed_and_hits_are_not(speech: SpeechCalls) -> None:
    assert speak("  Hello \t there ", voice="nova", speed=2) == speak(voice="nova", speed=2)
    assert speech.texts == [say]
    assert (speech[0].voice, speech[0].speed, speech[0].audio_format) == ("nova", 2, "wav")
    assert speech[0].is_complete
    assert speech[0].provider == "test"
    speak("more")
    assert [request.text for request in speech] == speech.texts == [say, "more"]
    assert speech.calls == speech[:] == list(speech)
    assert speech[1] in speech
    assert len(speech) == 2
    assert "more" not in repr(speech)


def test_stored_and_reset(speech: SpeechCalls) -> None:
    audio = speak()
    [entry] = speech.stored
    assert entry.audio == audio
    assert entry.text == say
    speech.reset()
    assert (len(speech), speech.stored) == (0, [])
    speak()
    assert len(speech) == 1


def test_calls_from_asyncio(speech: SpeechCalls) -> None:
    async def main() -> list[bytes]:
        return await asyncio.gather(*[get_service().synthesize_text(say) for _ in range(50)])

    assert len(set(asyncio.run(main()))) == 1
    assert speech.texts == [say]


def test_threads_share_one_call(speech: SpeechCalls) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: speak(), range(64)))) == 1
    assert speech.texts == [say]


# Scripts


@pytest.mark.parametrize("failure", [TTSError("down"), TTSError, ConnectionError("reset")])
def test_it_fails_with_an_instance_or_a_class(failure: Any) -> None:
    kind = failure if isinstance(failure, type) else type(failure)
    with override_speech(fail_with=failure) as speech:
        depths = []
        for _ in range(3):
            with pytest.raises(kind) as caught:
                speak()
            depths.append(len(caught.traceback))
        assert depths[2] == depths[0], "one error raised again and again does not grow"
        assert len(speech) == 3
        assert not speech.stored
        speech.fail_with = None
        assert speak()


def test_no_fallback_speaks_in_the_place_of_a_failure(settings: Any) -> None:
    settings.TTS = {"PROVIDER": "tone", "FALLBACKS": ["espeak"]}
    with override_speech(fail_with=TTSError("down")) as speech:
        with pytest.raises(TTSError, match="down"):
            speak()
        assert len(speech) == 1


def test_it_answers_given_audio() -> None:
    with override_speech(audio=sound("mp3", 1, "mine")) as speech:
        assert speak(audio_format="mp3") == speech.audio
        assert speech.stored[0].content_type == "audio/mpeg"


def test_what_is_not_sound_is_not_admitted() -> None:
    with override_speech(audio=b'{"error": "quota"}') as speech, pytest.raises(NotAudio):
        speak()
    assert not speech.stored


def test_a_function_answers() -> None:
    with override_speech(audio=lambda request: sound("wav", 1, request.voice or "")):  # type: ignore[arg-type,return-value]
        assert speak(voice="a") != speak(voice="b")


# The provider


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "text", ["a", "Hello there", "long words " * 300, "\u4f60\u597d" * 100, "1 \U0001f600"]
)
def test_every_common_format_is_admitted(speech: SpeechCalls, codec: str, text: str) -> None:
    entry = get_service().synthesize_sync(SpeechRequest(text, audio_format=f"{codec}_44100_128"))
    assert entry.content_type == content_type_of(codec)
    assert speech[0].audio_format == f"{codec}_44100_128"
    assert (entry.duration or 0) > 0.09


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("seed", range(40))
def test_every_pcm_is_admitted(speech: SpeechCalls, rate: int, seed: int) -> None:
    request = SpeechRequest(f"text {seed}", audio_format="pcm", sample_rate=rate)
    assert get_service().synthesize_sync(request).duration == pytest.approx(0.55, abs=0.2)


@pytest.mark.parametrize("codec", ["wav", "mp3", "opus", "aac", "flac"])
@pytest.mark.parametrize("seconds", [0.1, 2, 40])
def test_a_decoder_finds_whole_and_audible_sound(codec: str, seconds: float) -> None:
    audio = sound(codec, seconds, "seed")
    assert audio is not None
    assert sniff(audio) == content_type_of(codec)
    with av.open(io.BytesIO(audio), "r") as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    loudest = 1.0 if samples.dtype.kind == "f" else 32768
    assert np.abs(samples.astype(float)).max() > loudest / 10
    played = sum(frame.samples for frame in frames) / frames[0].sample_rate
    assert seconds <= played <= seconds + 0.2
    assert audio == sound(codec, seconds, "seed")


def test_no_sound_of_an_unknown_codec() -> None:
    assert sound("8-track", 1, "") is None


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "opus", "flac", "pcm", "ulaw"])
def test_other_texts_and_voices_sound_different(speech: SpeechCalls, audio_format: str) -> None:
    texts = [speak(f"text {n}", audio_format=audio_format) for n in range(8)]
    voices = [speak(voice=name, audio_format=audio_format) for name in ("a", "b", "c", "d")]
    assert len(set(texts)) > 1
    assert len(set(voices)) > 1


def test_it_takes_what_any_provider_takes(speech: SpeechCalls) -> None:
    options = {"stability": 0.5, "seed": 7}
    request = SpeechRequest(
        "<p>Hi</p>", "v", "m", "wav", 0.5, "de-at", "gently", True, 24000, options, "mine"
    )
    get_service().synthesize_sync(request)
    assert (speech[0].model, speech[0].language, speech[0].options) == ("m", "de-at", options)
    complete = get_service().complete(request)
    assert get_service().complete(complete) is complete


@pytest.mark.parametrize(
    ("field", "value"),
    [("text", " "), ("audio_format", "midi"), ("audio_format", 5), ("speed", 99), ("voice", 5)],
)
def test_it_refuses_what_none_takes(speech: SpeechCalls, field: str, value: Any) -> None:
    with pytest.raises(InvalidSpeechRequest) as caught:
        get_service().synthesize_sync(SpeechRequest(**{"text": "a", field: value}))
    assert caught.value.field == field
    assert not speech


def test_services_of_the_tested_codes_own_reach_no_real_provider() -> None:
    own = TTSService(TTSConfig(provider="nowhere.Provider", format="mp3"))
    for _ in range(2):
        with override_speech() as speech:
            assert sniff(own.synthesize_text_sync(say)) == "audio/mpeg"
            assert speech.texts == [say]
    with pytest.raises(RuntimeError, match="get_tts_service"):
        own.provider.synthesize(own.complete(SpeechRequest(say)), Deadline.after(1))


def test_the_command_speaks(speech: SpeechCalls, tmp_path: Path) -> None:
    call_command("speak", say, output=str(tmp_path / "a.wav"), verbosity=0)
    assert speech.texts == [say]


# Coming and going


def test_overrides_nest_and_come_back_in_order() -> None:
    before = builder._cache
    with override_speech() as outer:
        speak()
        with override_speech() as inner:
            assert get_audio_cache() is inner.cache
            speak()
        assert get_audio_cache() is outer.cache
        assert get_service() is outer.service
        speak()
    assert (outer.texts, inner.texts) == ([say], [say])
    assert builder._cache is before


def test_out_of_order_the_innermost_that_is_left_holds() -> None:
    first, second = override_speech(), override_speech()
    calls = first.enable(), second.enable()
    first.disable()
    assert get_audio_cache() is calls[1].cache
    second.disable()


def test_an_exception_ends_it_too() -> None:
    with pytest.raises(LookupError), override_speech():
        raise LookupError


def test_what_the_process_had_comes_back() -> None:
    real = MultiTierAudioCache(CacheConfig(backend="memory"))
    service = TTSService(TTSConfig(provider="tone"))
    before = builder.replace_audio_cache(real), tts_service.set_tts_service(service)
    try:
        with override_speech():
            assert get_audio_cache() is not real
            with override_settings(AUDIOCACHE={"TTL_HOURS": 1}):
                pass
        assert get_audio_cache() is real
        assert get_service() is service
    finally:
        assert builder.replace_audio_cache(before[0]) is real
        tts_service.set_tts_service(before[1])


def test_it_is_made_anew_when_settings_are_others_at_the_end() -> None:
    real = MultiTierAudioCache(CacheConfig(backend="memory"))
    before = builder.replace_audio_cache(real), tts_service.set_tts_service(None)
    speech, settings = override_speech(), override_settings(AUDIOCACHE={"BACKEND": "memory"})
    speech.enable()
    settings.enable()
    speech.disable()
    try:
        assert builder._cache is None
    finally:
        settings.disable()
        builder.replace_audio_cache(before[0])
        tts_service.set_tts_service(before[1])


def test_wrong_settings_are_told_and_nothing_is_replaced() -> None:
    with override_settings(TTS={"SPEDE": 1}), pytest.raises(ImproperlyConfigured, match="SPEDE"):
        override_speech().enable()


# Settings that change inside


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize("name", in_force.WATCHED)
def test_no_change_of_settings_brings_the_real_cache_back(speech: SpeechCalls, name: str) -> None:
    from django.conf import settings

    speak()
    with override_settings(**{name: getattr(settings, name, {})}):
        assert get_audio_cache() is speech.cache
        assert get_service() is speech.service
        speak()
    assert get_audio_cache() is speech.cache
    speak()
    assert speech.texts == [say]


def test_it_follows_the_settings(speech: SpeechCalls) -> None:
    with override_settings(TTS={"VOICE": "nova"}, AUDIOCACHE={"TTL_HOURS": 1}):
        speak()
        [entry] = speech.stored
        assert entry.expires - entry.created == 3_600_000
    assert speech[0].voice == "nova"
    with override_settings(TTS={"ENABLED": False}):
        assert not get_service().is_enabled()
    assert get_service().is_enabled()


def test_a_wrong_setting_inside_is_told_at_once(speech: SpeechCalls) -> None:
    wrong = override_settings(AUDIOCACHE={"TTL_HOURS": -1})
    with pytest.raises(ImproperlyConfigured, match="CACHE_TTL_HOURS"):
        wrong.enable()
    assert get_audio_cache() is speech.cache
    assert speech.cache.config.ttl_hours == 24
    assert speak()


# Decorating


def test_functions() -> None:
    @override_speech(kwarg_name="calls")
    def sync(number: int, *, calls: SpeechCalls) -> int:
        speak()
        return number + len(calls)

    @override_speech()
    async def coroutine() -> bytes:
        return await get_service().synthesize_text(say)

    assert [sync(1), sync(2)] == [2, 3]  # type: ignore[call-arg]
    assert asyncio.run(coroutine())[:4] == b"RIFF"


def run_case(case: type[unittest.TestCase]) -> unittest.TestResult:
    return unittest.defaultTestLoader.loadTestsFromTestCase(case).run(unittest.TestResult())


def test_classes_once_for_the_class_and_anew_for_each_test() -> None:
    seen: list[Any] = []

    @override_speech(attr_name="calls")
    class Case(SimpleTestCase):
        calls: SpeechCalls

        @classmethod
        def setUpClass(cls) -> None:
            super().setUpClass()
            seen.append(get_audio_cache())
            speak()

        def setUp(self) -> None:
            assert len(self.calls) == 0
            speak()

        def test_one(self) -> None:
            seen.append(get_audio_cache())
            assert self.calls.texts == [say]

        async def test_two(self) -> None:
            self.test_one()

    class Inherits(Case):
        def test_three(self) -> None:
            raise LookupError

    result = run_case(Case)
    assert (result.testsRun, result.errors, result.failures) == (2, [], [])
    assert len(set(map(id, seen))) == 3
    assert len(run_case(Inherits).errors) == 1


def test_a_class_that_fails_to_set_up() -> None:
    @override_speech()
    class Case(SimpleTestCase):
        @classmethod
        def setUpClass(cls) -> None:
            raise LookupError

        def test_one(self) -> None: ...

    assert len(run_case(Case).errors) == 1


def test_other_classes_are_told_of_the_fixture() -> None:
    with pytest.raises(TypeError, match="usefixtures"):
        override_speech()(dict)
    with pytest.raises(TypeError):
        override_speech()("text")  # type: ignore[type-var]


# The cache alone


def test_without_tts_there_is_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_tts(monkeypatch)
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "tts")
    with override_speech() as speech, override_settings(AUDIOCACHE={"TTL_HOURS": 1}):
        get_audio_cache().put("a", b"b")
        assert speech.service is None
        assert len(speech.stored) == 1


def test_an_installed_tts_that_lacks_its_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    hide_tts(monkeypatch)
    with pytest.raises(ImportError, match="extra"):
        override_speech().enable()


def hide_tts(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> Any:
        if name.startswith("tts"):
            raise ImportError("no extra")
        return import_module(name)

    monkeypatch.setattr(in_force, "import_module", without)


def test_an_async_create_runs_once_and_without_a_thread(speech: SpeechCalls) -> None:
    made: list[int] = []

    async def create() -> bytes:
        assert threading.current_thread() is threading.main_thread()
        made.append(1)
        await asyncio.sleep(0.01)
        return b"made"

    async def main() -> list[bytes]:
        cache = get_audio_cache()
        return await asyncio.gather(*[cache.aget_or_create(say, create) for _ in range(20)])

    assert asyncio.run(main()) == [b"made"] * 20
    assert asyncio.run(main()) == [b"made"] * 20
    assert len(made) == 1
    assert asyncio.run(get_audio_cache().aget_or_create("b", lambda: b"sync")) == b"sync"


def test_an_async_create_that_fails_fails_for_all_and_is_asked_again(speech: SpeechCalls) -> None:
    async def fails() -> bytes:
        await asyncio.sleep(0)
        raise LookupError

    async def main() -> list[Any]:
        asked = [get_audio_cache().aget_or_create(say, fails) for _ in range(3)]
        return await asyncio.gather(*asked, return_exceptions=True)

    for _ in range(2):
        assert [type(error) for error in asyncio.run(main())] == [LookupError] * 3


def test_an_override_is_typed_for_with_and_for_decorating() -> None:
    override: OverrideSpeech = override_speech()
    decorated: Callable[[], int] = override(lambda: 1)
    assert decorated() == 1


# Projects of users


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not called after the test: a database there would pass for one that a test run made."""
    return tmp_path_factory.mktemp("site")


def project(folder: Path) -> dict[str, str]:
    """A copy of the sample project, and the environment to run it in."""
    shutil.copytree(SAMPLE, folder / "testing_sample", ignore=shutil.ignore_patterns("__pycache__"))
    foreign = ("CACHE_", "TTS_", "TEST_", "PYTEST_", "DJANGO_", "DATABASE_URL", "CELERY_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return env | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if ".coverage" not in path.name}


def run(folder: Path, env: dict[str, str], *arguments: str) -> str:
    """The output of a test run that succeeds and leaves no file behind."""
    before = files(folder)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert files(folder) == before
    return done.stdout


def test_a_project_with_manage_py_test(tmp_path: Path) -> None:
    env = project(tmp_path)
    said = run(
        tmp_path, env, "-W", "error", "-m", "testing_sample.manage", "test", "testing_sample"
    )
    assert re.search(r"Ran 1\d tests", said), said


FIRST_TESTS = """
from django.test import SimpleTestCase

from audiocache.testing import override_speech
from tts import get_tts_service

class Speaks(SimpleTestCase):
    def test_it(self):
        with override_speech() as speech:
            assert get_tts_service().synthesize_text_sync("Hello")
        assert len(speech) == 1
"""


def test_a_new_project_that_names_no_provider(tmp_path: Path) -> None:
    """Django switches DEBUG off for its tests, and checks the project then."""
    env = project(tmp_path)
    settings = tmp_path / "testing_sample/settings.py"
    settings.write_text(re.sub("(?m)^(TTS|AUDIOCACHE) = .*", "DEBUG = True", settings.read_text()))
    (tmp_path / "testing_sample/first.py").write_text(FIRST_TESTS)
    said = run(tmp_path, env, "-m", "testing_sample.manage", "test", "-p", "first.py")
    assert "Ran 1 test" in said


def test_a_project_whose_tests_use_the_real_tiers(tmp_path: Path) -> None:
    """The table is the test run's, under the name that its tests declare."""
    env = project(tmp_path)
    said = run(
        tmp_path,
        env,
        "-m",
        "testing_sample.manage",
        "test",
        "testing_sample",
        "-p",
        "real_tiers.py",
    )
    assert "Ran 4 tests" in said


# A project need not have our other plugins. Without a cache of bytecode each run would compile
# them, and with a thread beside it Python 3.11 now and then fails at that.
OTHERS = ("valkey", "cacheprovider", "schemathesis", "faker", "anyio", "hypothesispytest", "xdist")
PYTEST = ("-m", "pytest", *(word for name in OTHERS for word in ("-p", f"no:{name}")))


def test_a_project_with_pytest(tmp_path: Path) -> None:
    env = project(tmp_path)
    said = run(tmp_path, env, *PYTEST, "testing_sample")
    assert re.search(r"\b8 passed", said), said
    # Under pytest, TestCase classes run as well.
    said = run(tmp_path, env, *PYTEST, "testing_sample/tests_cases.py")
    assert re.search(r"\b11 passed", said), said


def test_the_documentation_runs(tmp_path: Path) -> None:
    env = project(tmp_path) | {"DJANGO_SETTINGS_MODULE": "testing_sample.settings"}
    settings = tmp_path / "testing_sample/settings.py"
    settings.write_text(settings.read_text().replace(', "FORMAT": "mp3_44100_128"', ""))
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", DOCS, re.DOTALL)
    assert len(blocks) == DOCS.count("```python")
    (tmp_path / "tests").mkdir()
    for name, code in blocks:
        (tmp_path / name).write_text(code)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    said = run(tmp_path, env, *PYTEST, "tests")
    assert re.search(r"\b11 passed", said), said
    said = run(tmp_path, env, "-m", "testing_sample.manage", "test", "tests", "-p", "test_cases.py")
    assert "Ran 2 tests" in said


def test_public_names_are_documented() -> None:
    for name in ("override_speech", "speech", "attr_name", "kwarg_name", "fail_with", "audio"):
        assert f"{name}" in DOCS
    for name in audiocache.testing.__all__:
        assert name in DOCS or name in {"OverrideSpeech", "SpeechCalls", "Fault"}, name
    for name in vars(SpeechCalls):
        if not name.startswith("_") and name != "answer":
            assert f"speech.{name}" in DOCS, name


@pytest.mark.parametrize("pytest_runs", [True, False])
def test_pytest_is_imported_only_where_it_runs(pytest_runs: bool) -> None:
    code = f"""
import sys
if {pytest_runs}:
    import pytest
import audiocache.testing
print("pytest" in sys.modules, hasattr(audiocache.testing, "speech"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(pytest_runs)] * 2
