"""Law 13: importing the apps and `ready()` start nothing, connect to nothing, leave nothing."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

PUBLIC = {
    "audiocache": {
        "FOREVER",
        "AudioEntry",
        "CacheConfig",
        "Clip",
        "MultiTierAudioCache",
        "Recording",
        "get_audio_cache",
        "initialize_audio_cache",
    },
    "tts": {
        "BreakerOpen",
        "FinalError",
        "InvalidSpeechRequest",
        "NotAudio",
        "NotCached",
        "ProviderError",
        "Speech",
        "SpeechNotConfigured",
        "SpeechRequest",
        "SpeechTimeout",
        "TTSConfig",
        "TTSError",
        "TTSService",
        "TransientError",
        "get_tts_service",
    },
}

IMPORT_ALL = """
import json, os, pkgutil, sys, threading
from importlib import import_module
from pathlib import Path

seen = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def watch(event, arguments):
    if event in {"socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen"}:
        seen.append(f"{event} {arguments!r}")
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        seen.append(f"{event} {arguments[0]!r}")

started = []
start = threading.Thread.start
threading.Thread.start = lambda thread: (started.append(thread.name), start(thread))
sys.addaudithook(watch)

from django.conf import settings

settings.configure(
    SECRET_KEY="only for tests",
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.messages", "django.contrib.sessions", "audiocache", "tts",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}},
    AUDIOCACHE={"REDIS_URL": "redis://127.0.0.1:1/0"},
    TTS={"PROVIDER": "tone"},
)

import django

django.setup()
clients = [name for name in ("botocore", "requests", "urllib3") if name in sys.modules]

# urllib3 looks, when it is imported, whether it can bind a socket of IPv6. None of ours does.
before = len(seen)
import urllib3
foreign, seen[before:] = seen[before:], []

modules = []
for package in map(import_module, ["audiocache", "tts"]):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        import_module(module.name)
        modules.append(module.name)

threads = [thread.name for thread in threading.enumerate() if thread.name != "MainThread"]
print(json.dumps({
    "modules": modules, "seen": seen, "started": started, "threads": threads,
    "left": os.listdir(), "celery": "celery" in sys.modules, "clients": clients,
    "foreign": foreign,
}))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh interpreter saw that set Django up and imported every module."""
    # The measuring of coverage writes files of its own.
    foreign = ("COVERAGE_", "CACHE_", "TTS_", "DJANGO_", "PYTEST_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", IMPORT_ALL],
        cwd=tmp_path_factory.mktemp("empty"),
        env=env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_every_module_was_imported(imported: dict[str, Any]) -> None:
    files = [
        path.relative_to(ROOT).with_suffix("")
        for package in PUBLIC
        for path in (ROOT / package).rglob("*.py")
    ]
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert set(imported["modules"]) | set(PUBLIC) == names


@pytest.mark.parametrize("what", ["seen", "started", "threads", "left"])
def test_law_13_importing_starts_connects_to_and_leaves_nothing(
    imported: dict[str, Any], what: str
) -> None:
    assert imported[what] == []


def test_law_13_setting_up_imports_no_client_of_a_provider(imported: dict[str, Any]) -> None:
    assert imported["clients"] == []
    assert all(event.startswith("socket.bind ") for event in imported["foreign"])


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_are_the_documented_ones(package: str) -> None:
    module = import_module(package)
    assert set(module.__all__) == PUBLIC[package]
    assert list(module.__all__) == sorted(module.__all__, key=_isort_key)


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package in PUBLIC for name in sorted(PUBLIC[package])]
)
def test_each_public_name_has_a_docstring_of_its_own(package: str, name: str) -> None:
    value = getattr(import_module(package), name)
    text = inspect.getdoc(value)
    assert text
    assert not text.startswith(f"{name}("), "made by dataclass"


@pytest.mark.parametrize("package", PUBLIC)
def test_there_are_no_other_names(package: str) -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        import_module(package).nothing_like_it  # noqa: B018


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
