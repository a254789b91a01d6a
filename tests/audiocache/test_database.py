"""Which database the cache uses, with which options, and how its own file comes to be."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache, database

pytestmark = pytest.mark.usefixtures("unblocked", "own_aliases")

POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "site", "CONN_MAX_AGE": 0,
              "ATOMIC_REQUESTS": True}  # fmt: skip

SITE = """
import json, os, sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["audiocache"], **json.loads(sys.argv[1]))
django.setup()
from django.db import connections
from audiocache import database
alias = database.default_alias()
found = {k: connections.databases[alias].get(k) for k in
         ("ENGINE", "NAME", "CONN_MAX_AGE", "ATOMIC_REQUESTS", "AUTOCOMMIT", "OPTIONS")}
opened = [a for a in connections if connections[a].connection is not None]
print(json.dumps([alias, {k: str(v) if k == "NAME" else v for k, v in found.items()}, opened]))
"""


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., tuple[str, dict[str, Any]]]:
    """The alias, and its settings, of a site with these DATABASES and AUDIOCACHE settings."""

    def build(databases: dict[str, Any], **audiocache: Any) -> tuple[str, dict[str, Any]]:
        given = {"DATABASES": databases, "AUDIOCACHE": audiocache, "USE_TZ": True}
        done = subprocess.run(
            [sys.executable, "-c", SITE, json.dumps(given)],
            capture_output=True, text=True, check=True, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        alias, options, opened = json.loads(done.stdout)
        assert opened == []
        return alias, options

    return build


Site = Callable[..., tuple[str, dict[str, Any]]]


def sqlite(name: str, **more: Any) -> dict[str, Any]:
    return {"ENGINE": database.SQLITE, "NAME": name, **more}


def test_beside_a_sqlite_site_it_is_a_file_of_its_own(site: Site, tmp_path: Path) -> None:
    alias, found = site({"default": sqlite(str(tmp_path / "site.sqlite3"), ATOMIC_REQUESTS=True)})
    assert alias == "audiocache"
    assert found["NAME"] == str(tmp_path / "cache" / "audio_cache.db")
    assert (found["ATOMIC_REQUESTS"], found["AUTOCOMMIT"]) == (False, True)
    assert found["CONN_MAX_AGE"] is None
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in found["OPTIONS"]["init_command"]
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory&cache=shared", ""])
def test_beside_a_site_in_memory_it_is_a_folder_here(site: Site, tmp_path: Path, name: str) -> None:
    assert site({"default": sqlite(name)})[1]["NAME"] == str(tmp_path / "cache" / "audio_cache.db")


def test_beside_a_postgresql_site_it_is_a_second_connection(site: Site) -> None:
    alias, found = site({"default": POSTGRESQL})
    assert (alias, found["NAME"]) == ("audiocache", "site")
    assert (found["ATOMIC_REQUESTS"], found["CONN_MAX_AGE"]) == (False, None)


def test_a_postgresql_server_that_is_gone_does_not_hold_callers(site: Site) -> None:
    _, found = site({"default": {**POSTGRESQL, "OPTIONS": {"sslmode": "prefer", "pool": True}}})
    assert found["OPTIONS"]["connect_timeout"] == 2
    assert found["OPTIONS"]["server_side_binding"] is True
    assert found["OPTIONS"]["tcp_user_timeout"] == 5000
    assert found["OPTIONS"]["sslmode"] == "prefer"
    assert "pool" not in found["OPTIONS"]  # it allows no connection that stays open


def test_what_the_site_says_of_time_outs_is_taken(site: Site) -> None:
    own = {**POSTGRESQL, "OPTIONS": {"connect_timeout": 9, "pool": True}}
    assert site({"default": own})[1]["OPTIONS"]["connect_timeout"] == 9
    _, found = site({"default": POSTGRESQL, "audiocache": own})
    assert found["OPTIONS"]["connect_timeout"] == 9
    assert (found["CONN_MAX_AGE"], found["OPTIONS"]["pool"]) == (0, True)


def test_an_alias_of_its_name_is_taken_and_completed(site: Site) -> None:
    own = sqlite("mine.db", OPTIONS={"timeout": 3})
    alias, found = site({"default": POSTGRESQL, "audiocache": own})
    assert (alias, found["NAME"], found["CONN_MAX_AGE"]) == ("audiocache", "mine.db", None)
    assert found["OPTIONS"]["timeout"] == 3
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_the_callers_transaction_never_encloses_it(site: Site) -> None:
    """Django opens a transaction of ATOMIC_REQUESTS on every alias that asks for one."""
    own = {**POSTGRESQL, "NAME": "clips"}
    _, found = site({"default": POSTGRESQL, "audiocache": own})
    assert found["ATOMIC_REQUESTS"] is False


def test_a_path_set_by_hand_chooses_the_file_whatever_the_site_has(
    site: Site, tmp_path: Path
) -> None:
    folder = str(tmp_path / "elsewhere")
    alias, found = site({"default": POSTGRESQL}, PERSISTENT_PATH=folder)
    assert (alias, found["NAME"]) == ("audiocache", f"{folder}/audio_cache.db")
    databases = {"default": POSTGRESQL, "audiocache": POSTGRESQL}
    alias, found = site(databases, PERSISTENT_PATH=folder)
    assert alias.startswith("audiocache_")
    assert found["NAME"] == f"{folder}/audio_cache.db"


def test_a_named_alias_is_taken_as_it_is(site: Site) -> None:
    databases = {"default": POSTGRESQL, "clips": sqlite("clips.db")}
    alias, found = site(databases, PERSISTENT_DATABASE="clips")
    assert (alias, found["NAME"], found["OPTIONS"]) == ("clips", "clips.db", {})


def test_a_wrong_configuration_does_not_keep_the_site_from_starting(tmp_path: Path) -> None:
    program = SITE.replace("alias = database.default_alias()", "sys.exit(7)")
    given = {"DATABASES": {"default": sqlite("x")}, "AUDIOCACHE": {"TTL_HOURS": -1}}
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(given)], cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("test_site", True),
        ("test_site_gw0", True),
        ("/srv/site/test_site.sqlite3", True),
        ("contest_site", False),
        ("/srv/test_site/db.sqlite3", False),
    ],
)
def test_a_database_of_tests_is_known_by_the_beginning_of_its_name(name: str, tests: bool) -> None:
    assert database.is_of_tests({"NAME": name}) is tests
    assert database.is_of_tests({"NAME": name, "TEST": {"NAME": name}})


def test_an_alias_that_is_none_is_a_wrong_setting() -> None:
    with pytest.raises(ImproperlyConfigured, match="CACHE_PERSISTENT_DATABASE: 'x' is not"):
        database.alias_of(CacheConfig(persistent_database="x"))


def test_the_same_folder_is_the_same_alias(tmp_path: Path) -> None:
    first, again, other = (
        database.alias_of(CacheConfig(persistent_path=str(path)))
        for path in (tmp_path, tmp_path, tmp_path / "other")
    )
    assert first == again != other


# A file of its own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


@pytest.fixture
def cache(folder: Path) -> Iterator[MultiTierAudioCache]:
    cache = MultiTierAudioCache(CacheConfig(persistent_path=str(folder)))
    yield cache
    cache.close()


def test_nothing_is_created_before_the_first_use(cache: MultiTierAudioCache, folder: Path) -> None:
    assert not cache.config.masked()["redis_url"]
    assert not folder.exists()
    cache.put("Hello", b"sound")
    assert (folder / "audio_cache.db").exists()
    cache.tiers["memory"].clear()
    assert cache.get("Hello") == b"sound"


def test_the_file_has_the_options_that_suit_it(cache: MultiTierAudioCache, folder: Path) -> None:
    cache.put("Hello", b"sound")
    with closing(sqlite3.connect(folder / "audio_cache.db")) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert file.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    stats = cache.get_comprehensive_stats()["backends"]["persistent"]
    assert stats["db_path"] == str(folder / "audio_cache.db")
    own = connections[database.alias_of(cache.config)]
    with own.cursor() as cursor:
        for pragma, value in (("synchronous", 1), ("secure_delete", 2), ("cache_size", -8192)):
            cursor.execute(f"PRAGMA {pragma}")
            assert cursor.fetchone() == (value,)


def test_the_file_holds_no_tables_but_ours(cache: MultiTierAudioCache, folder: Path) -> None:
    cache.put("Hello", b"sound")
    with closing(sqlite3.connect(folder / "audio_cache.db")) as file:
        names = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
    tables = {name for name in names if not name.startswith(("audiocache_", "sqlite_"))}
    assert tables == {"django_migrations"}


def test_a_file_that_was_taken_away_is_made_anew(cache: MultiTierAudioCache, folder: Path) -> None:
    cache.put("Hello", b"sound")
    cache.tiers["persistent"].release()
    for path in folder.glob("audio_cache.db*"):
        path.unlink()
    cache.tiers["memory"].clear()
    for _ in range(2):  # the first look may be the one that finds out
        cache.ladder.rungs[1].circuit.worked()
        assert cache.get("Hello") is None
    cache.ladder.rungs[1].circuit.worked()
    cache.put("Hello", b"again")
    cache.tiers["memory"].clear()
    assert cache.get("Hello") == b"again"


def test_a_file_that_is_no_database_is_an_error_of_the_tier_alone(
    cache: MultiTierAudioCache, folder: Path
) -> None:
    folder.mkdir(parents=True)
    (folder / "audio_cache.db").write_bytes(b"this is no database, whatever its name says" * 100)
    cache.put("Hello", b"sound")
    assert cache.get("Hello") == b"sound"
    assert cache.get_comprehensive_stats()["performance"]["errors"]["persistent"] >= 1
    assert (folder / "audio_cache.db").read_bytes().startswith(b"this is no database")


def test_a_folder_that_cannot_be_made_is_an_error_of_the_tier_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = MultiTierAudioCache(CacheConfig(persistent_path=str(tmp_path / "file" / "cache")))
    cache.put("Hello", b"sound")
    assert cache.get("Hello") == b"sound"
    assert cache.get_comprehensive_stats()["performance"]["errors"]["persistent"] == 1
    cache.close()
