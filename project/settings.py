"""Settings of the demo site. Every default works without a server and without a key."""

import os
from collections.abc import Container
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from tts.conf import provider_name
from tts.providers import PROVIDERS

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"


def database_url(url: str, base: Path) -> dict[str, Any]:
    """The DATABASES entry for a URL; relative SQLite paths start at `base`.

    Messages never repeat the URL: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured("DATABASE_URL: the host or the port is not valid.") from error
    match parts.scheme:
        case "sqlite":
            return _sqlite(parts, base)
        case "postgres" | "postgresql":
            return _postgres(parts, port)
    raise ImproperlyConfigured(
        "DATABASE_URL must start with sqlite:/// or postgres://, "
        f"not with {parts.scheme or 'nothing'}."
    )


def _sqlite(parts: SplitResult, base: Path) -> dict[str, Any]:
    name = unquote(parts.path).removeprefix("/")
    if parts.netloc or not name:
        raise ImproperlyConfigured("DATABASE_URL: write sqlite:///file or sqlite:////folder/file.")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": base / name}


def _postgres(parts: SplitResult, port: int | None) -> dict[str, Any]:
    name = unquote(parts.path).removeprefix("/")
    if not name:
        raise ImproperlyConfigured("DATABASE_URL names no database: postgres://user@host/name.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def secret_key(given: str, debug: bool) -> str:
    """The given key, or in DEBUG one that lives as long as the process."""
    if given or not debug:
        return given
    return get_random_secret_key()


OPENAI_NAMES = {
    "MODEL_NAMES": ["tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15"],
    "VOICE_NAMES": [
        "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable",
        "marin", "nova", "onyx", "sage", "shimmer", "verse",
    ],
}  # fmt: skip


def openai_names(provider: str, given: Container[str]) -> dict[str, dict[str, str]]:
    """Names that clients of OpenAI have built in, for the defaults of whoever speaks here.

    Not where OpenAI does; what the environment says itself (`given`: its names) is left to it.
    """
    if provider_name(provider) in {"openai", PROVIDERS["openai"]}:
        return {}
    return {
        name: dict.fromkeys(theirs, "")
        for name, theirs in OPENAI_NAMES.items()
        if f"TTS_{name}" not in given
    }


DEBUG = os.environ.get("DJANGO_DEBUG", "true").lower() in {"1", "true", "yes", "on"}
# Empty outside DEBUG is Django's own error, at first use.
SECRET_KEY = secret_key(os.environ.get("DJANGO_SECRET_KEY", ""), DEBUG)
ALLOWED_HOSTS = [host for host in os.environ.get("DJANGO_ALLOWED_HOSTS", "").split(",") if host]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "audiocache",
    "tts",
    "project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": database_url(os.environ.get("DATABASE_URL", "sqlite:///db.sqlite3"), BASE_DIR),
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"

TTS = openai_names(os.environ.get("TTS_PROVIDER", ""), os.environ)

# Without a broker, worker and beat talk through files.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://")
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "data_folder_in": VAR_DIR / "broker" / "messages",
        "data_folder_out": VAR_DIR / "broker" / "messages",
        "control_folder": VAR_DIR / "broker" / "control",
    }
    if CELERY_BROKER_URL == "filesystem://"
    else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat")
