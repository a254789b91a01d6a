"""The demo site's settings: databases by URL, a key of its own, Celery without a server."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from project.settings import BASE_DIR, database_url, secret_key
from tts.api.asking import Asked
from tts.api.catalogue import voices
from tts.conf import TTSConfig
from tts.service import TTSService

BASE = Path("/base")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///db.sqlite3", "/base/db.sqlite3"),
        ("sqlite:///var/a%20b.sqlite3", "/base/var/a b.sqlite3"),
        ("sqlite:////tmp/db.sqlite3", "/tmp/db.sqlite3"),
    ],
)
def test_a_sqlite_url_is_a_file(url: str, name: str) -> None:
    assert database_url(url, BASE) == {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(name),
    }


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgres_url_is_taken_apart(scheme: str) -> None:
    url = f"{scheme}://us%40er:p%2Fw@db.example:5433/na%20me?sslmode=require"
    assert database_url(url, BASE) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "na me",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_a_postgres_url_may_say_little() -> None:
    found = database_url("postgres:///site", BASE)
    assert (found["NAME"], found["HOST"], found["PORT"], found["USER"]) == ("site", "", "", "")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.sqlite3",
        "mysql://user:secret@host/name",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://db.sqlite3",
        "sqlite://:memory:",
        "postgres://user:secret@host",
        "postgres://user:secret@host/",
        "postgres://user:secret@host:port/name",
        "postgres://user:secret@host:99999/name",
        "postgres://user:secret@[::1/name",
    ],
)
def test_another_url_is_an_error_without_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as caught:
        database_url(url, BASE)
    assert "secret" not in str(caught.value)


def load(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """The settings as a new process with this environment reads them."""
    names = ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_DEBUG", "DJANGO_SECRET_KEY")
    for name in (*names, "TTS_PROVIDER", "TTS_MODEL_NAMES", "TTS_VOICE_NAMES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(BASE_DIR / "project" / "settings.py"))


def test_the_defaults_need_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load(monkeypatch)
    assert found["DATABASES"]["default"]["NAME"] == BASE_DIR / "db.sqlite3"
    assert found["CELERY_BROKER_URL"] == "filesystem://"
    assert found["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert found["DEBUG"] is True
    assert found["SECRET_KEY"] != load(monkeypatch)["SECRET_KEY"]


def test_a_broker_takes_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load(monkeypatch, CELERY_BROKER_URL="redis://127.0.0.1/0")
    assert found["CELERY_BROKER_TRANSPORT_OPTIONS"] == {}


def test_in_production_nothing_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load(monkeypatch, DJANGO_DEBUG="false", DJANGO_ALLOWED_HOSTS="a.example,b.example")
    assert (found["DEBUG"], found["SECRET_KEY"]) == (False, "")
    assert found["ALLOWED_HOSTS"] == ["a.example", "b.example"]
    assert secret_key("given", debug=True) == "given"


@pytest.mark.django_db
def test_the_admin_is_there(client: Client) -> None:
    assert client.get(reverse("admin:login")).status_code == 200


@pytest.mark.parametrize("module", ["project.wsgi", "project.asgi"])
def test_servers_find_the_application(module: str) -> None:
    assert callable(runpy.run_module(module)["application"])


def test_celery_finds_tasks_schedule_and_folders(tmp_path: Path) -> None:
    """As `celery -A project worker -B` does, in a process of its own."""
    program = (
        "from pathlib import Path\n"
        "from project import settings\n"
        f"folders = {{'control_folder': Path({str(tmp_path)!r}, 'c')}}\n"
        "settings.CELERY_BROKER_TRANSPORT_OPTIONS = folders\n"
        "from project import celery_app\n"
        "celery_app.finalize(); celery_app.loader.import_default_modules()\n"
        "names = {entry['task'] for entry in celery_app.conf.beat_schedule.values()}\n"
        "assert names <= set(celery_app.tasks), names\n"
        "print(*sorted(names))\n"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=BASE_DIR,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "audiocache.cleanup_expired" in done.stdout
    assert (tmp_path / "c").is_dir()


def test_clients_of_openai_need_not_know_who_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    names = load(monkeypatch)["TTS"]
    config = TTSConfig(provider="espeak", **{key.lower(): told for key, told in names.items()})
    service = TTSService(config)
    for model in ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "espeak-ng"):
        for voice in ("alloy", "cedar", "shimmer", "verse", "en-us"):
            body = {"model": model, "voice": voice, "input": "Hello"}
            request = service.complete(Asked.of(body, service).request)
            assert (request.model, request.voice) == ("espeak-ng", "en-us")
    assert "alloy" in [voice["id"] for voice in voices(service)["voices"]]


def test_openai_s_own_names_and_what_the_environment_says_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("openai", " OpenAI ", "tts.providers.openai.OpenAIProvider"):
        assert load(monkeypatch, TTS_PROVIDER=name)["TTS"] == {}
    given = load(monkeypatch, TTS_PROVIDER="azure", TTS_VOICE_NAMES='{"nova": "de-DE-Katja"}')
    assert list(given["TTS"]) == ["MODEL_NAMES"]
