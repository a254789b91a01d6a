"""The earlier names: its documented examples word for word, beside any `utils` package."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from audiocache import CacheConfig, MultiTierAudioCache, compat, get_audio_cache

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """A `utils` package of another test is no concern of this one."""
    levels = {name: logging.getLogger(name).level for name in compat.LOGGERS.values()}
    yield
    compat.uninstall()
    for name in [name for name in sys.modules if name.split(".")[0] == "utils"]:
        del sys.modules[name]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def installed() -> None:
    compat.install()


def utils_package(folder: Path, monkeypatch: pytest.MonkeyPatch, *, regular: bool = True) -> None:
    package = folder / "utils"
    package.mkdir()
    if regular:
        (package / "__init__.py").write_text("here = True\n")
    (package / "dates.py").write_text("today = 'Monday'\n")
    monkeypatch.syspath_prepend(folder)


# The documented examples, each in a project of its own with a site database in SQLite

PROJECT = """
    import ast, asyncio, sys
    from pathlib import Path
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["audiocache", "tts"], USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}},
    )
    django.setup()
    from audiocache import compat
    compat.install()
    names = {"__name__": "__main__"}
    def run(source):
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        result = eval(compile(source, "example", "exec", flags=flags), names)
        if result is not None:
            asyncio.run(result)
"""

CACHE_EXAMPLE = """\
from utils.multi_tier_audio_cache import get_audio_cache
cache = get_audio_cache()
text = "Hello, this is a test message"
audio_data = b"fake_audio_data"
cache_key = cache.put(text, audio_data)
retrieved_audio = cache.get(text)
if cache.has(text):
    print("Text is cached")
cache.remove(text)
cache.clear()
"""

CONFIG_EXAMPLE = """\
from utils.multi_tier_audio_cache import MultiTierAudioCache, CacheConfig
config = CacheConfig(backend="multi-tier", memory_max_size=200, memory_max_mb=100, persistent_path="./custom_cache", ttl_hours=48)
cache = MultiTierAudioCache(config)
warm_entries = [("Frequently used text 1", b"audio_data_1"), ("Frequently used text 2", b"audio_data_2")]
warmed_count = cache.warm_cache(warm_entries)
stats = cache.get_comprehensive_stats()
print(f"Memory hit rate: {stats['performance']['memory_hit_rate']:.2%}")
print(f"Total entries: {stats['backends']['memory']['entry_count']}")
cleanup_results = cache.cleanup_expired()
print(f"Cleaned up: {cleanup_results}")
"""  # noqa: E501 - word for word

SPEECH_EXAMPLE = """\
from utils.tts_service import TTSService, TTSConfig
tts_config = TTSConfig(api_key="your_api_key")
tts_service = TTSService(tts_config)
audio_data = await tts_service.synthesize_text("Hello world")
cache_stats = tts_service.get_cache_stats()
common_phrases = [("Welcome to Bitcoin Assistant", b"welcome_audio"), ("How can I help you today?", b"help_audio")]
tts_service.warm_cache(common_phrases)
"""  # noqa: E501 - word for word


def project(folder: Path, code: str, **environment: str) -> list[str]:
    """The lines that the code prints in a process of its own, with this folder its own."""
    inherited = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROJECT) + textwrap.dedent(code)],
        cwd=folder,
        env=inherited | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_example_of_the_cache_runs_word_for_word(tmp_path: Path) -> None:
    lines = project(
        tmp_path,
        f"""
        run({CACHE_EXAMPLE!r})
        print(names["cache_key"], names["retrieved_audio"], names["cache"].has(names["text"]))
        """,
    )
    key = hashlib.sha256(b"Hello, this is a test message").hexdigest()
    assert lines == ["Text is cached", f"{key} b'fake_audio_data' False"]
    assert (tmp_path / "cache" / "audio_cache.db").exists()


def test_the_example_of_the_configuration_runs_word_for_word(tmp_path: Path) -> None:
    lines = project(tmp_path, f"run({CONFIG_EXAMPLE!r}); print(names['warmed_count'])")
    assert lines == [
        "Memory hit rate: 0.00%",
        "Total entries: 2",
        "Cleaned up: {'memory': 0, 'persistent': 0, 'distributed': 0}",
        "2",
    ]
    assert (tmp_path / "custom_cache" / "audio_cache.db").exists()


def test_the_example_of_speech_runs_word_for_word(tmp_path: Path) -> None:
    lines = project(
        tmp_path,
        f"""
        run({SPEECH_EXAMPLE!r})
        print(names["audio_data"][:4], names["cache_stats"]["performance"]["misses"]["memory"])
        run("audio = await tts_service.synthesize_text('Welcome to Bitcoin Assistant')")
        print(names["audio"])
        """,
        TTS_PROVIDER="tone",
    )
    assert lines == ["b'RIFF' 1", "b'welcome_audio'"]


def test_a_phrase_warmed_before_is_spoken_from_the_cache_word_for_word(tmp_path: Path) -> None:
    warming = 'tts_service.warm_cache([("Hello world", b"hello_audio")])\n'
    head, speaking, tail = SPEECH_EXAMPLE.partition("audio_data = await")
    lines = project(
        tmp_path,
        f"run({head + warming + speaking + tail!r}); print(names['audio_data'])",
        TTS_PROVIDER="tone",
    )
    assert lines == ["b'hello_audio'"]


def test_the_loggers_of_the_old_documentation_show_what_happens(tmp_path: Path) -> None:
    lines = project(
        tmp_path,
        """
        import logging
        logging.basicConfig(stream=sys.stdout, format="%(name)s %(message)s")
        logging.getLogger('utils.multi_tier_audio_cache').setLevel(logging.DEBUG)
        logging.getLogger('utils.tts_service').setLevel(logging.DEBUG)
        from utils.multi_tier_audio_cache import get_audio_cache
        cache = get_audio_cache()
        key = cache.put("a secret text", b"audio")
        cache.remove("a secret text")
        cache.clear()
        logging.getLogger("audiocache.ladder").debug("from below")
        logging.getLogger("tts.service").debug("from speech")
        print(key)
        """,
    )
    key = lines.pop()
    assert lines == [
        f"utils.multi_tier_audio_cache stored key={key} bytes=5",
        f"utils.multi_tier_audio_cache removed keys={key} by=source_key",
        "utils.multi_tier_audio_cache removed keys=all by=key",
        "audiocache.ladder from below",
        "tts.service from speech",
    ]


# Beside a package of that name


@pytest.mark.parametrize("regular", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_a_utils_package_of_the_project_works_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, regular: bool
) -> None:
    utils_package(tmp_path, monkeypatch, regular=regular)
    if before:
        assert importlib.import_module("utils.dates").today == "Monday"
    compat.install()

    module = importlib.import_module("utils.multi_tier_audio_cache")
    assert module.get_audio_cache is get_audio_cache
    assert importlib.import_module("utils.dates").today == "Monday"
    utils = sys.modules["utils"]
    assert list(utils.__path__) == [str(tmp_path / "utils")]
    assert getattr(utils, "here", False) is regular

    compat.uninstall()
    assert importlib.import_module("utils.dates").today == "Monday"
    assert sys.modules["utils"] is utils
    assert not hasattr(utils, "multi_tier_audio_cache")
    with pytest.raises(ModuleNotFoundError, match=r"utils\.multi_tier_audio_cache"):
        importlib.import_module("utils.multi_tier_audio_cache")


def test_without_a_utils_package_there_is_one_for_these_names_alone() -> None:
    assert importlib.util.find_spec("utils") is None
    compat.install()
    importlib.import_module("utils.tts_service")
    with pytest.raises(ModuleNotFoundError, match=r"utils\.dates"):
        importlib.import_module("utils.dates")
    compat.uninstall()
    assert importlib.util.find_spec("utils") is None


def test_the_project_s_own_module_of_that_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utils_package(tmp_path, monkeypatch)
    (tmp_path / "utils" / "tts_service.py").write_text("TTSService = 'theirs'\n")
    compat.install()
    assert importlib.import_module("utils.tts_service").TTSService == "theirs"
    compat.uninstall()
    assert "utils.tts_service" in sys.modules


def test_install_and_uninstall_may_be_repeated() -> None:
    before = list(sys.meta_path)
    parents = [logging.getLogger(name).parent for name in compat.LOGGERS]
    compat.uninstall()
    compat.install()
    compat.install()
    assert len(sys.meta_path) == len(before) + 1
    assert sys.meta_path[:-1] == before
    compat.uninstall()
    compat.uninstall()
    assert sys.meta_path == before
    assert [logging.getLogger(name).parent for name in compat.LOGGERS] == parents


def test_installing_imports_nothing(tmp_path: Path) -> None:
    code = """
        import sys
        from audiocache import compat
        compat.install()
        assert not {"audiocache.cache", "tts", "django", "utils"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=ROOT, timeout=60)


@pytest.mark.usefixtures("installed")
def test_the_names_are_today_s() -> None:
    module = importlib.import_module("utils.multi_tier_audio_cache")
    assert module.MultiTierAudioCache is MultiTierAudioCache
    assert module.CacheConfig is CacheConfig
    assert callable(module.initialize_audio_cache)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("missing", ["tts.conf", "tts.service"])
def test_without_tts_one_sentence_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"needs the package tts.*django-audiocache\[tts\]"):
        importlib.import_module("utils.tts_service")


@pytest.mark.usefixtures("installed")
def test_an_eviction_is_told_at_the_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    importlib.import_module("utils.multi_tier_audio_cache")
    caplog.set_level(logging.DEBUG, logger="utils.multi_tier_audio_cache")
    cache = MultiTierAudioCache(CacheConfig(backend="memory", memory_max_size=1))
    keys = [cache.put(text, b"audio") for text in ("one", "two")]
    assert f"evicted tier=memory keys={keys[0]}" in caplog.text


# TTSConfig


@pytest.fixture
def earlier_config(installed: None, settings: Any) -> Any:
    settings.TTS = {}
    return importlib.import_module("utils.tts_service").TTSConfig


def test_the_earlier_arguments_mean_what_they_did(earlier_config: Any) -> None:
    config = earlier_config(
        api_key="key",
        voice_id="nova",
        model_id="m2",
        output_format="pcm_24000",
        enabled=False,
        volume=1,
        cache_size=5,
    )
    assert (config.voice, config.model, config.format) == ("nova", "m2", "pcm_24000")
    assert (config.voice_id, config.model_id, config.output_format) == ("nova", "m2", "pcm_24000")
    assert (config.enabled, config.volume, config.cache_size) == (False, 1, 5)
    assert config.chosen_provider == "elevenlabs"
    assert "key" not in repr(config).replace("api_key", "")


def test_the_earlier_defaults_are_those_of_elevenlabs(earlier_config: Any) -> None:
    config = earlier_config("key")
    assert config.api_key == "key"
    assert config.voice_id == "JBFqnCBsd6RMkjVDRZzb"
    assert config.model_id == "eleven_multilingual_v2"
    assert config.output_format == "mp3_44100_128"
    assert (config.enabled, config.volume, config.cache_size) == (True, 0.7, 100)
    other = earlier_config(provider="tone")
    assert (other.voice_id, other.model_id, other.output_format) == (None, None, None)


def test_the_earlier_environment_is_read(
    earlier_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELEVEN_LABS_API_KEY", "from the environment")
    monkeypatch.setenv("TTS_VOICE_ID", "v")
    monkeypatch.setenv("TTS_MODEL_ID", "m")
    monkeypatch.setenv("TTS_OUTPUT_FORMAT", "opus_48000_64")
    config = earlier_config()
    assert config.api_key == "from the environment"
    assert (config.voice, config.model, config.format) == ("v", "m", "opus_48000_64")
    assert earlier_config(voice_id="given").voice == "given"
    monkeypatch.setenv("TTS_VOICE", "today's name")
    assert earlier_config().voice == "today's name"


def test_today_s_arguments_and_settings_hold_too(earlier_config: Any, settings: Any) -> None:
    settings.TTS = {"PROVIDER": "tone", "VOICE": "bass"}
    config = earlier_config(api_key="key", timeout=5)
    assert (config.provider, config.voice, config.timeout) == ("tone", "bass", 5)
    assert earlier_config.load().voice == "bass"


@pytest.mark.parametrize("volume", [-0.1, 1.1, float("nan"), True, "loud", None])
def test_a_volume_out_of_range_is_refused(earlier_config: Any, volume: Any) -> None:
    with pytest.raises(ValueError, match="volume must be a number from 0 to 1"):
        earlier_config(api_key="key", volume=volume)


def test_an_unknown_argument_is_refused(earlier_config: Any) -> None:
    with pytest.raises(TypeError, match="colour"):
        earlier_config(api_key="key", colour="red")
    with pytest.raises(ImproperlyConfigured, match="TTS_TIMEOUT"):
        earlier_config(api_key="key", timeout=0)


def test_a_service_is_built_without_a_connection(earlier_config: Any) -> None:
    service = importlib.import_module("utils.tts_service").TTSService(earlier_config(api_key="k"))
    assert service.config.chosen_provider == "elevenlabs"
    assert isinstance(service.is_enabled(), bool)
