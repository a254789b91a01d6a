"""A site as a user would have it: SQLite, a paid provider, Redis."""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "only for tests"
USE_TZ = True
ROOT_URLCONF = "testing_sample.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "audiocache",
    "tts",
    "testing_sample",
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "site.sqlite3"},
}

# A test that reached one of these would fail: nobody listens there.
AUDIOCACHE = {"REDIS_URL": "redis://127.0.0.1:1/0"}
TTS = {"PROVIDER": "testing_sample.paid.PaidProvider", "VOICE": "nova", "FORMAT": "mp3_44100_128"}
