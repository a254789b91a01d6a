"""The doctor: each planted fault is found and named, and mended by typing what it says."""

from __future__ import annotations

import gc
import io
import json
import os
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.models import Sum

from audiocache import get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.clock import now_ms
from audiocache.doctor.rounds import examine
from audiocache.management.commands.audiocache import Command
from audiocache.models import (
    AudioCacheEntry,
    Charge,
    Lease,
    RefusedClip,
    Removal,
    State,
    Tag,
    Total,
)
from audiocache.pulse import pulse
from audiocache.tiers.sql.lease_file import LeaseFile
from project.servers import start_redis
from project.servers.redis import RedisServer
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE
from tests.factories import row

ALIASES = [
    pytest.param("audiocache", marks=ON_SQLITE),
    pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
]
DAY_MS = 86_400_000
FOLDER = {"BACKEND": "django.core.files.storage.FileSystemStorage"}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One that a site would have: bounded."""
    with start_redis("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru") as started:
        yield started


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def site(settings: Any, server: RedisServer, alias: str, tmp_path: Path) -> Iterator[Site]:
    settings.STORAGES = settings.STORAGES | {
        "clips": FOLDER | {"OPTIONS": {"location": str(tmp_path)}},
        "elsewhere": FOLDER | {"OPTIONS": {"location": str(tmp_path / "other")}},
    }
    settings.SILENCED_SYSTEM_CHECKS = ["audiocache.W021"]  # the folder's host is the only one
    made = Site(settings, server, alias, tmp_path)
    made.use()
    yield made
    end()


def end() -> None:
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


class Site:
    """An installation with some clips, in which a test plants a fault."""

    def __init__(self, settings: Any, server: RedisServer, alias: str, folder: Path) -> None:
        self.folder = folder
        self.settings, self.server, self.alias = settings, server, alias
        self.vendor = connections[alias].vendor
        self.prefix = f"test-{uuid4().hex[:12]}"

    def use(self, **given: Any) -> None:
        base = {"PERSISTENT_DATABASE": self.alias, "REDIS_URL": self.server.url}
        base["REDIS_PREFIX"] = self.prefix
        self.settings.AUDIOCACHE = base | given

    def fill(self) -> None:
        phrases = [(f"phrase {number}", b"RIFF" + bytes([number]) * 100) for number in range(3)]
        get_audio_cache().put_many(phrases, tags=["menu"])
        end()

    def execute(self, sql: str, *values: Any) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute(sql, values or None)

    @property
    def path(self) -> Path:
        return Path(str(connections[self.alias].settings_dict["NAME"]))


def doctor(*words: str) -> dict[str, str]:
    """Findings and what to type, by name; 1 is the exit status when there are some."""
    out, status = io.StringIO(), 0
    try:
        call_command("audiocache", "doctor", "--json", *words, stdout=out)
    except CommandError as error:
        status = error.returncode
    told = json.loads(out.getvalue())["findings"]
    assert status == bool(told)
    for found in told:
        assert all(found[part] for part in ("what", "why", "mend")), found
    return {found["name"]: found["mend"] for found in told}


def type_(commands: str) -> None:
    """What the doctor says to type, of ours."""
    for command in commands.split("; "):
        words = shlex.split(command.partition(" (")[0])
        assert words[:1] == ["manage.py"], command
        asks = words[2:3] != ["doctor"] and words[1] == "audiocache" and "--yes" not in words
        also = ["--yes"] if asks and words[2] in {"mend", "scrub"} else []
        call_command(*words[1:], *also, stdout=io.StringIO(), stderr=io.StringIO())


class Fault(NamedTuple):
    """A fault, what it is called, and how it is put right where no command does."""

    name: str
    plant: Callable[[Site], Any]
    by_hand: Callable[[Site], Any] | None = None


def migrate_back(site: Site) -> None:
    known = sorted(
        name for app, name in MigrationLoader(None).disk_migrations if app == "audiocache"
    )
    call_command("migrate", "audiocache", known[-2], database=site.alias, verbosity=0)


def drop_index(site: Site) -> None:
    site.execute("DROP INDEX audiocache_lru")


def drop_trigger(site: Site) -> None:
    on = " ON audiocache_entry" if site.vendor == "postgresql" else ""
    name = "audiocache_entry_counted" if site.vendor == "postgresql" else "audiocache_entry_added"
    site.execute(f"DROP TRIGGER {name}{on}")
    row("not counted")


def no_wal(site: Site) -> None:
    """Which takes that nobody else has the file open: as soon as that is so."""
    connections[site.alias].close()
    until = time.monotonic() + 20
    while not written_without_log(site.path):
        assert time.monotonic() < until, "somebody has it open"
        gc.collect()  # threads of earlier tests, which ended, leave their connections to it


def written_without_log(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0.5)) as file:
        try:
            [mode] = file.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError:
            return False
    return bool(mode == "delete")


def long_log(site: Site) -> None:
    """Of a process that left no time to write it back: sparse, so that it costs no disk."""
    site.execute("SELECT 1")
    os.truncate(site.path.with_name(f"{site.path.name}-wal"), 200 * 2**20)


def impatient(site: Site) -> None:
    connections[site.alias].settings_dict["OPTIONS"]["timeout"] = 0.01


def patient_again(site: Site) -> None:
    connections[site.alias].settings_dict["OPTIONS"]["timeout"] = 0.8


def damage(site: Site) -> None:
    AudioCacheEntry.objects.filter(text="phrase 1").update(audio=b"RIFF and nothing else")


def in_files(site: Site) -> list[Path]:
    """Long clips, in a storage; where they lie."""
    site.use(INLINE_MAX_KB=1, STORAGE="clips")
    phrases = [(f"long {number}", b"RIFF" + bytes([number]) * 5000) for number in range(3)]
    get_audio_cache().put_many(phrases)
    end()
    names = AudioCacheEntry.objects.filter(text__startswith="long").order_by("text")
    return [site.folder / name for name in names.values_list("storage_name", flat=True)]


def file_gone(site: Site) -> None:
    in_files(site)[1].unlink()


def file_damaged(site: Site) -> None:
    in_files(site)[1].write_bytes(b"RIFF and nothing else")


def file_without_row(site: Site) -> None:
    """One that is old, and one whose row may be on its way."""
    path = in_files(site)[1]
    [old, young] = [
        path.with_name(path.name.replace(path.name[:4], word)) for word in ("abcd", "0123")
    ]
    for one in (old, young):
        one.write_bytes(b"RIFF")
    os.utime(old, (now_ms() / 1000 - 3700,) * 2)


def other_storage(site: Site) -> None:
    in_files(site)
    site.use(INLINE_MAX_KB=1, STORAGE="elsewhere")


def broken_clip(site: Site) -> None:
    row("half a clip", provider="tone", audio=b"RIFF\xff\x00\x00\x00WAVEfmt ")


def stuck(site: Site) -> None:
    if site.vendor == "postgresql":
        Lease.objects.create(name="clip", owner="gone", deadline=now_ms() + DAY_MS)
        return
    LeaseFile(site.alias).take({"clip": "gone"}, DAY_MS)


def gap(site: Site) -> None:
    for number in (1, 2, 4, 5):
        Removal.objects.create(id=number, at=now_ms(), kind="key", value="0" * 64)


def refuse(site: Site) -> None:
    RefusedClip.objects.create(
        source_key="0" * 64, key="0" * 64, text_digest="0" * 64, reason="silent",
        since=1, refused=1, until=now_ms() + DAY_MS,
    )  # fmt: skip


def left_over(site: Site) -> None:
    for number in range(21):
        row(f"old {number}", expires=1, keep_until=1)


def configure(site: Site, *pair: str) -> None:
    with redis.Redis.from_url(site.server.url) as client:
        client.config_set(*pair)


def over(site: Site) -> None:
    site.use(PERSISTENT_MAX_SIZE=1)
    Total.objects.update(entries=70)


def not_over(site: Site) -> None:
    site.use()
    type_("manage.py audiocache mend totals")


def pin_all(site: Site) -> None:
    site.use(PERSISTENT_MAX_SIZE=3, TTL_HOURS=1)
    AudioCacheEntry.objects.update(pinned=True)


def killed(site: Site) -> None:
    Charge.objects.create(call="killed", at=now_ms() - 2 * 3_600_000, source_key="0" * 64)


def half_empty(site: Site) -> None:
    """The file gives no page back by itself."""
    for number in range(3):
        row(f"long {number}", audio=bytes(2**20))
    AudioCacheEntry.objects.filter(text__startswith="long").delete()


def deferred(site: Site) -> None:
    connections[site.alias].settings_dict["OPTIONS"]["transaction_mode"] = "DEFERRED"


def immediate(site: Site) -> None:
    connections[site.alias].settings_dict["OPTIONS"]["transaction_mode"] = "IMMEDIATE"


def a_later_release(site: Site) -> None:
    names = "INSERT INTO django_migrations (app, name, applied) VALUES"
    site.execute(f"{names} ('audiocache', '9999_later', CURRENT_TIMESTAMP)")


def speech(provider: str) -> Callable[[Site], None]:
    return lambda site: setattr(site.settings, "TTS", {"PROVIDER": provider})


def using(**given: Any) -> Callable[[Site], None]:
    return lambda site: site.use(**given)


def server_with(*pair: str) -> Callable[[Site], None]:
    return lambda site: configure(site, *pair)


OF_FILES = [
    Fault("journal", no_wal),
    Fault("waiting", impatient, patient_again),
    Fault("wal", long_log),
    Fault("transactions", deferred, immediate),
    Fault("free_pages", half_empty),
    Fault("disk", using(PERSISTENT_MAX_MB=10**12), using()),
]
OF_EITHER = [
    Fault("audiocache.E001", using(TTL_HOURS="soon"), using()),
    Fault("audiocache.W006", using(PERSISTENT_MAX_SIZE=0, PERSISTENT_MAX_MB=0), using()),
    Fault("tts.E003", speech("nobody"), speech("tone")),
    Fault(
        "migrations.ahead",
        a_later_release,
        lambda site: site.execute("DELETE FROM django_migrations WHERE name = '9999_later'"),
    ),
    Fault("decoding", broken_clip),
    Fault("expired", left_over),
    Fault("limits", over, not_over),
    Fault("pins", pin_all, lambda _: type_("manage.py audiocache unpin --tag menu")),
    Fault("refused", refuse, lambda _: RefusedClip.objects.all().delete()),
    Fault("calls", killed, lambda _: Charge.objects.all().delete()),
    Fault("redis", lambda site: site.server.pause(), lambda site: site.server.resume()),
    Fault("redis_memory", server_with("maxmemory", "0"), server_with("maxmemory", "64mb")),
    Fault(
        "redis_policy",
        server_with("maxmemory-policy", "noeviction"),
        server_with("maxmemory-policy", "allkeys-lru"),
    ),
]
OF_EACH = [
    Fault("migrations.behind", migrate_back),
    Fault("tables", lambda site: site.execute("DROP TABLE audiocache_spent")),
    Fault("tables", lambda site: site.execute("DROP TABLE audiocache_entry")),
    Fault("indexes", drop_index),
    Fault("triggers", drop_trigger),
    Fault("totals", lambda _: Total.objects.update(entries=7)),
    Fault("tags", lambda _: Tag.objects.create(tag="gone", key="0" * 64)),
    Fault("checksums", damage),
    Fault("checksums", file_damaged),
    Fault("soundless", lambda _: AudioCacheEntry.objects.update(audio=None)),
    Fault("files.missing", file_gone),
    Fault("files.orphaned", file_without_row),
    Fault(
        "files.unreachable", other_storage, lambda site: site.use(INLINE_MAX_KB=1, STORAGE="clips")
    ),
    Fault("texts", using(STORE_TEXT=False)),
    Fault("leases", stuck),
    Fault("removals", gap),
]
"""Their statements differ."""


def faults() -> Iterator[Any]:
    for fault in (*OF_FILES, *OF_EITHER, *OF_EACH):
        yield pytest.param("audiocache", fault, marks=ON_SQLITE, id=fault.name)
    for fault in OF_EACH:
        yield pytest.param("audiocache_pg", fault, marks=ON_POSTGRESQL, id=f"pg-{fault.name}")


def test_a_sound_installation_has_no_finding(site: Site) -> None:
    site.fill()
    assert doctor("--deep") == doctor() == {}
    out = io.StringIO()
    call_command("audiocache", "doctor", stdout=out)
    assert out.getvalue().endswith("Nothing is wrong.\n")


@pytest.mark.parametrize(("alias", "fault"), list(faults()))
def test_must_show_7_each_planted_fault_is_found_and_mended_by_what_it_says(
    site: Site, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.name == "free_pages":
        monkeypatch.setattr("audiocache.doctor.space.FREE_BYTES", 2**20)  # half of a small file
    site.fill()
    fault.plant(site)
    try:
        found = doctor("--deep")
        assert fault.name in found
        if fault.by_hand is None:
            type_(found[fault.name])
            if fault.name == "texts":
                assert get_audio_cache().get_entry("phrase 0").text is None  # type: ignore[union-attr]
    finally:
        if fault.by_hand is not None:
            fault.by_hand(site)
    assert doctor("--deep") == {}


def test_people_read_what_it_is_why_it_matters_and_what_to_type(site: Site) -> None:
    gap(site)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"^1 finding\.$"):
        call_command("audiocache", "doctor", stdout=out)
    said = out.getvalue().splitlines()
    assert said[0] == "removals: The removal log lacks 1 of its entries."
    assert said[2] == "    type or set: manage.py audiocache mend removals"


def test_it_writes_nothing(site: Site) -> None:
    site.fill()
    damage(site)
    tables = (AudioCacheEntry, Tag, Total, Removal, State, RefusedClip, Lease)
    before = [list(model.objects.order_by("pk").values_list()) for model in tables]
    assert "checksums" in doctor("--deep")
    assert [list(model.objects.order_by("pk").values_list()) for model in tables] == before


@ON_SQLITE
@pytest.mark.parametrize("alias", ["audiocache"])
def test_without_deep_no_file_of_a_storage_is_listed(site: Site) -> None:
    file_without_row(site)
    assert "files.orphaned" in doctor("--deep")
    assert "files.orphaned" not in doctor()


@ON_SQLITE
def test_a_file_that_is_no_database_is_named(
    settings: Any, tmp_path: Path, own_aliases: None, unblocked: None
) -> None:
    settings.AUDIOCACHE = {"PERSISTENT_PATH": str(tmp_path)}
    assert doctor() == {}, "a file is made at the first use"
    assert list(tmp_path.iterdir()) == [], "and not by the doctor"
    path = tmp_path / "audio_cache.db"
    path.write_bytes(b"this is no database" * 1000)
    found = doctor()
    assert found["database"].startswith(f"mv {path} {path}.broken")
    path.rename(f"{path}.broken")
    assert doctor() == {}


@pytest.fixture
def nothing_migrated(site: Site) -> Iterator[Site]:
    site.execute("ALTER TABLE django_migrations RENAME TO away")
    yield site
    site.execute("ALTER TABLE away RENAME TO django_migrations")


@pytest.mark.parametrize("alias", [pytest.param("audiocache_pg", marks=ON_POSTGRESQL)])
def test_a_server_where_nothing_is_migrated_answers(nothing_migrated: Site) -> None:
    [found] = examine().findings
    assert found.name == "migrations.behind"
    assert "0001_initial" in found.what
    assert found.mend == "manage.py migrate audiocache --database audiocache_pg"


def test_what_cannot_be_looked_at_is_a_finding_without_the_drivers_words(site: Site) -> None:
    site.execute("ALTER TABLE audiocache_refused RENAME TO hidden")
    try:
        found = {one.name: one for one in examine().findings}
    finally:
        site.execute("ALTER TABLE hidden RENAME TO audiocache_refused")
    assert found["refused"].what.startswith("It could not be looked at: ")
    assert "hidden" not in str(found["refused"])


def test_totals_are_counted_anew_while_others_write(
    site: Site, in_threads: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    cache = get_audio_cache()

    def work(place: int) -> None:
        for number in range(15):
            if place:
                cache.put(f"{place} {number}", b"RIFF" * 20)
            else:
                call_command("audiocache", "mend", "totals", stdout=io.StringIO())

    in_threads(4, work)
    sums = Total.objects.aggregate(entries=Sum("entries"), bytes=Sum("bytes"))
    assert sums["entries"] == AudioCacheEntry.objects.count() == 45
    assert sums["bytes"] == 45 * 80


def test_clocks_that_differ_are_told(site: Site) -> None:
    site.fill()
    seen = examine(clock=lambda: now_ms() + 60_000)
    clocks = {found.name for found in seen.findings}
    databases = {"database_clock"} if site.vendor == "postgresql" else set()
    assert clocks == {"redis_clock"} | databases
    assert "60 s behind" in seen.findings[-1].what


def test_without_deep_no_more_rows_are_read_for_more_entries(site: Site) -> None:
    """By the sounds: what is looked at of them is a sample."""
    from audiocache.doctor.case import Case
    from audiocache.doctor.sampling import SAMPLE
    from audiocache.doctor.storing import sounds

    for number in range(SAMPLE * 2):
        row(f"phrase {number}")
    config = get_audio_cache().config
    case = Case(config)
    assert 0 < len(list(sounds(case))) <= SAMPLE
    assert len(list(sounds(Case(config, deep=True)))) == SAMPLE * 2
    case.close()


def test_mending_says_what_it_deletes_and_asks(site: Site) -> None:
    with pytest.raises(CommandError, match="add --yes"):
        call_command("audiocache", "mend", "removals")
    out = io.StringIO()
    call_command("audiocache", "mend", "totals", "indexes", stdout=out)
    assert out.getvalue() == "totals: 0 mended.\nindexes: 0 mended.\n"


def test_without_a_database_there_is_nothing_to_mend(settings: Any) -> None:
    settings.AUDIOCACHE = {"BACKEND": "memory"}
    assert doctor("--deep") == {}
    with pytest.raises(CommandError, match="no database tier"):
        call_command("audiocache", "mend", "totals")
    end()


@ON_SQLITE
def test_a_log_that_is_read_is_not_cut(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocache.own_file.WRITER_SECONDS", 0.05)
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": "audiocache"}
    get_audio_cache().put("one", b"RIFF")
    reader = sqlite3.connect(connections["audiocache"].settings_dict["NAME"])
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM audiocache_entry").fetchone()
    get_audio_cache().put("two", b"RIFF")
    try:
        with pytest.raises(CommandError, match="wal: not mended: another process reads"):
            call_command("audiocache", "mend", "wal")
    finally:
        reader.close()
        end()


@ON_SQLITE
@pytest.mark.parametrize(
    ("wrong", "found"),
    [({"AUDIOCACHE": {"MEMORY_MAX_SIZE": -4}}, "audiocache.E001"),
     ({"TTS": {"PROVIDER": "nobody"}, "AUDIOCACHE": {"BACKEND": "memory"}}, "tts.E003")],
)  # fmt: skip
def test_where_settings_are_errors_it_says_so_itself(
    settings: Any, capsys: pytest.CaptureFixture[str], wrong: dict[str, Any], found: str
) -> None:
    """As typed in a shell, where Django looks at settings before any command."""
    for name, value in wrong.items():
        setattr(settings, name, value)
    with pytest.raises(SystemExit) as status:
        Command().run_from_argv(["manage.py", "audiocache", "doctor", "--json"])
    assert status.value.code == 1
    assert found in {one["name"] for one in json.loads(capsys.readouterr().out)["findings"]}
    with pytest.raises(SystemExit):
        Command().run_from_argv(["manage.py", "audiocache", "stats", "--json"])
    assert "SystemCheckError" in capsys.readouterr().err
