"""Must show 9 of issue 7: a warming is quoted, stopped, killed, resumed; nothing is paid twice.

The command runs as people run it, in processes of its own, before a server that counts.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audiocache.keys import normalize_text
from project.demo.catalogues import sentences
from tests.tts.vendors import openai
from tests.tts.vendors.server import Server

ROOT = Path(__file__).parents[2]
LOCALES = (
    "de", "fr", "es", "it", "nl", "pt_BR", "pl", "sv", "cs", "da", "fi", "hu", "ro", "tr", "nb",
    "sk", "sl", "hr", "et", "lv", "lt", "ca", "gl", "eu", "id", "is", "sq", "af", "pt", "az", "cy",
)  # fmt: skip
RATE = 15
"""USD for a million characters."""
AT_ONCE = 3
"""TTS_MAX_CONCURRENT 4, but for the place that is left to others."""
SECONDS = 120
SHORT, LONG = 40, 2_000


def phrases(number: int) -> list[str]:
    """Of Django's own translations, as they are sent, each once."""
    found: dict[str, None] = {}
    for locale in LOCALES:
        if len(found) < number:
            found |= dict.fromkeys(map(normalize_text, sentences(locale)))
    assert len(found) >= number
    return list(found)[:number]


def catalogue(path: Path, texts: list[str]) -> Path:
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
    pairs = (
        f'msgid "m{i}"\nmsgstr {json.dumps(t, ensure_ascii=False)}\n' for i, t in enumerate(texts)
    )
    path.write_text("\n".join([head, *pairs]), encoding="utf-8")
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    with openai.server() as server:
        yield server


class Site:
    """A site with a cache in a folder, and the command on it."""

    def __init__(self, folder: Path, server: Server, number: int) -> None:
        self.server = server
        self.ledger = folder / "cache" / "audio_cache.db"
        self.texts = phrases(number)
        self.stored = 0
        """As the interrupted runs have told."""
        self.file = catalogue(folder / "django.po", self.texts)
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DJANGO_SECRET_KEY": "only for tests",
            "DATABASE_URL": f"sqlite:////{folder / 'site.sqlite3'}",
            "CACHE_BACKEND": "sqlite",
            "CACHE_PERSISTENT_MAX_SIZE": "5000",
            "TTS_PROVIDER": "openai",
            "TTS_API_KEY": openai.KEY,
            "TTS_BASE_URL": f"{server.url}/v1",
            "TTS_MODEL": "tts-1",
            "TTS_FORMAT": "wav",
            "TTS_MAX_CONCURRENT": str(AT_ONCE + 1),
            "TTS_PRICES": json.dumps([{"provider": "openai", "model": "tts-1", "rate": RATE}]),
            "PYTHONPATH": str(ROOT),
        }

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "manage.py"), "audiocache", "warm", str(self.file)]
        return subprocess.Popen(
            [*command, *words, "--json"], env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str) -> Any:
        out, err = (process := self.begin(*words)).communicate(timeout=SECONDS)
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    def stop_after(self, calls: int, by: signal.Signals) -> int:
        """Run until the server was called so often in all; the exit code."""
        process = self.begin()
        until = time.monotonic() + SECONDS
        while len(self.server.heard) < calls:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(by)
        out, _ = process.communicate(timeout=SECONDS)
        self.stored += json.loads(out)["stored"] if out else 0
        return process.returncode

    @property
    def begun(self) -> int:
        """Calls that nobody has settled."""
        with closing(sqlite3.connect(self.ledger)) as file:
            rows = file.execute("SELECT COUNT(*) FROM audiocache_charge WHERE outcome = 'begun'")
            number: int = rows.fetchone()[0]
        return number

    @property
    def called(self) -> Counter[str]:
        return Counter(heard.json()["input"] for heard in self.server.heard)


@pytest.mark.parametrize("number", [SHORT, pytest.param(LONG, marks=pytest.mark.soak, id="long")])
def test_a_warming_that_is_stopped_and_killed(tmp_path: Path, server: Server, number: int) -> None:
    site = Site(tmp_path, server, number)
    quote = site.run("--dry-run")
    assert (quote["missing"], quote["calls"], len(server.heard)) == (number, number, 0)
    assert quote["characters"] == quote["units"] == sum(map(len, site.texts))
    assert (quote["at_once"], quote["measured"], quote["estimated"]) == (AT_ONCE, False, False)

    # What is under way when it is told to end is stored, and settled.
    assert site.stop_after(number // 4, signal.SIGINT) == 130
    assert site.stop_after(number // 2, signal.SIGTERM) == 143
    assert (max(site.called.values()), site.begun) == (1, 0)
    # But for one that ends at the very moment.
    assert len(site.called) - 1 <= site.stored <= len(site.called)
    if number == LONG:  # then the leases of the killed one are waited for
        assert site.stop_after(number * 3 // 4, signal.SIGKILL) == -signal.SIGKILL
    assert site.begun <= (AT_ONCE if number == LONG else 0)
    left = number - len(site.called)
    report = site.run()
    assert (report["failed"], report["not_done"]) == (0, 0)
    assert left <= report["stored"] <= left + AT_ONCE

    # Paid twice is only what a killed process had asked for and could not store.
    twice = {text for text, times in site.called.items() if times > 1}
    assert set(site.called) == set(site.texts)
    assert len(twice) <= site.begun
    assert max(site.called.values()) <= 2
    once = sum(RATE * len(text) for text in site.called)
    paid = sum(RATE * len(heard.json()["input"]) for heard in server.heard)
    assert quote["cost"] == once
    assert abs(paid - quote["cost"]) <= 0.01 * quote["cost"]
