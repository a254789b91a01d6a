"""The page on deploying: what it says to set can be set, and its backup is one."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from audiocache import MultiTierAudioCache
from audiocache.conf import CacheConfig
from tts.conf import TTSConfig

FILE = "audio_cache.db"
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    "word", ["nginx", "gunicorn", "uWSGI", "ASGI", "Kubernetes", "pg_dump", ".backup", "migrate"]
)
def test_what_was_promised_is_there(word: str) -> None:
    assert word in PAGE


@pytest.mark.parametrize("section", ["Several hosts", "Backups", "An upgrade"])
def test_a_section_is_more_than_a_line(section: str) -> None:
    [found] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found.splitlines()) > 10


def test_the_settings_of_several_hosts_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = [block for block in BLOCKS if "AUDIOCACHE = {" in block]
    for name in re.findall(r'os.environ\["(\w+)"\]', block):
        monkeypatch.setenv(name, "redis://cache.internal:6379/0")
    told: dict[str, Any] = {}
    exec(block, told)
    config = CacheConfig(**{name.lower(): value for name, value in told["AUDIOCACHE"].items()})
    assert config.tiers[1] == "distributed"
    assert TTSConfig(**{name.lower(): value for name, value in told["TTS"].items()}).timeout == 30


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.usefixtures("unblocked", "own_aliases")
def test_a_backup_that_was_made_in_use_is_restored(tmp_path: Path) -> None:
    """As `.backup` of SQLite's program makes it: the file's own log has the last clips."""
    with closing(on_file_in(tmp_path / "site")) as cache:
        cache.put("Hello", b"sound", tags=["greetings"])
        (tmp_path / "restored").mkdir()
        with (
            closing(sqlite3.connect(tmp_path / "site" / FILE)) as source,
            closing(sqlite3.connect(tmp_path / "restored" / FILE)) as copy,
        ):
            source.backup(copy)
    with closing(on_file_in(tmp_path / "restored")) as restored:
        assert restored.get("Hello") == b"sound"


def on_file_in(folder: Path) -> MultiTierAudioCache:
    return MultiTierAudioCache(
        CacheConfig(backend="sqlite", memory_max_size=0, persistent_path=str(folder))
    )
