"""The names that others rely on: the design's own lines, run as they are written there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import audiocache

# The texts and sounds that the lines speak of; then the lines, with what each must give.
NAMES = {"text": "Hello world", "audio": b"RIFF....WAVE", "create": lambda: b"made"}

IMPORTS = (
    "from audiocache import AudioEntry, CacheConfig, FOREVER, MultiTierAudioCache,"
    " get_audio_cache, initialize_audio_cache"
)

LINES = """
cache = get_audio_cache()                           => cache is get_audio_cache()
key = cache.put(text, audio)                        => len(key) == 64 and int(key, 16)
cache.put(text, b"1", voice="a", tags=["t"])        => cache.get(text, voice="a") == b"1"
cache.put(text, b"1", voice="b", ttl_seconds=FOREVER) => cache.get(text, voice="b") == b"1"
cache.put(text, b"1", voice="c", content_type="a/b") => cache.get(text, voice="c") == b"1"
audio = cache.get(text)                             => audio == b"RIFF....WAVE"
audio = cache.get(text, voice="nova", model="m2")   => audio is None
entry = cache.get_entry(text)                       => isinstance(entry, AudioEntry)
entry.key, entry.audio, entry.content_type          => _ == (key, b"RIFF....WAVE", "audio/wav")
entry.created_at, entry.expires_at                  => (_[1] - _[0]).total_seconds() == 24 * 3600
entry.tier, entry.stale                             => _ == ("memory", False)
cache.has(text)                                     => _ is True
cache.remove(text)                                  => _ is True and not cache.has(text)
cache.clear()                                       => not cache.has(text, voice="a")
audio = cache.get_or_create(text, create)           => audio == b"made"
cache.get_many([text, "more"])                      => _ == {text: b"made"}
cache.put_many([("one", b"1"), ("two", b"2")])      => len(_) == 2
cache.warm_cache([(text, audio), ("three", b"3")])  => _ == 2
cache.cleanup_expired()           => _ == {"memory": 0, "persistent": 0, "distributed": 0}
cache.get_comprehensive_stats()   => set(_) == {"config", "performance", "backends"}
await cache.aget(text)            => _ == b"made"
cache.tiers["memory"]             => list(cache.tiers) == ["memory", "persistent"]
config = CacheConfig(backend="multi-tier", memory_max_size=200, memory_max_mb=100, \\
    persistent_path="./custom_cache", ttl_hours=48) => config.ttl_hours == 48
cache = MultiTierAudioCache(config)                 => cache.config is config
cache.put(text, audio)                              => cache.get(text) == audio
initialize_audio_cache(config)                      => _ is get_audio_cache()
CacheConfig.from_env(); CacheConfig.load()          => CacheConfig.load() == CacheConfig()
"""


def main() -> None:
    """In a process of its own: a new site, which has nothing but the app."""
    import django
    from django.conf import settings

    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite3"}
    settings.configure(INSTALLED_APPS=["audiocache"], DATABASES={"default": default})
    django.setup()
    asyncio.run(run_lines())


async def run_lines() -> None:
    names: dict[str, Any] = dict(NAMES)
    exec(IMPORTS, names)
    failed = []
    for line, expected in lines():
        names["_"] = await run_line(line, names)
        if not await asyncio.to_thread(eval, expected, names):
            failed.append([line, expected, repr(names["_"])])
    sys.stdout.write(json.dumps(failed))


def lines() -> list[list[str]]:
    """Each line, and what is true after it; `_` is its value."""
    whole = LINES.strip().replace("\\\n", "")
    return [[part.strip() for part in line.split("=>")] for line in whole.splitlines()]


async def run_line(line: str, names: dict[str, Any]) -> Any:
    """The value of a line; what is not awaited runs where a view would run it."""
    try:
        code = compile(line, "design", "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return await asyncio.to_thread(exec, line, names)
    if code.co_flags & inspect.CO_COROUTINE:
        return await eval(code, names)
    return await asyncio.to_thread(eval, code, names)


def test_every_line_of_the_design_runs_as_written(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.audiocache.test_design"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert (tmp_path / "cache" / "audio_cache.db").exists()
    assert (tmp_path / "custom_cache" / "audio_cache.db").exists()


def test_the_package_offers_these_names_and_no_others_by_accident() -> None:
    exec(IMPORTS, {})
    assert set(audiocache.__all__) <= set(dir(audiocache))
    for name in audiocache.__all__:
        assert getattr(audiocache, name) is not None
    with pytest.raises(AttributeError, match="module 'audiocache' has no attribute 'nothing'"):
        audiocache.nothing  # noqa: B018


if __name__ == "__main__":
    main()
