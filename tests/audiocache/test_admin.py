"""The admin: read only, without sound or COUNT in lists, texts only for those who may see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audiocache import FOREVER, CacheConfig, MultiTierAudioCache, get_audio_cache
from audiocache.admin.filters import VoiceFilter
from audiocache.builder import replace_audio_cache
from audiocache.clock import now_ms
from audiocache.entries import NEVER
from audiocache.finding import Kind, kinds
from audiocache.models import AudioCacheEntry
from audiocache.playing import playable_type
from audiocache.pulse import pulse
from audiocache.rows import checksum
from audiocache.tiers.sql.base import Dialect
from tests.people import staff, superuser
from tests.settings import TEST_REDIS_URL

LIST = "/admin/audiocache/audiocacheentry/"
SECRET = "The quick brown secret"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)
HOUR = 3_600_000

ALIASES = [
    pytest.param(alias, marks=pytest.mark.django_db(transaction=True, databases=["default", alias]))
    for alias in ("audiocache", "audiocache_pg")
]
ON_EITHER = pytest.mark.parametrize(
    "alias",
    [ALIASES[0], pytest.param("audiocache_pg", marks=[*ALIASES[1].marks, pytest.mark.soak])],
    indirect=True,
)
"""For what the page alone makes of the rows: nothing in it is the database's."""


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    """The cache's database: a SQLite file of its own, then PostgreSQL."""
    settings.AUDIOCACHE = {
        "PERSISTENT_DATABASE": request.param,
        "REDIS_URL": TEST_REDIS_URL,
        "REDIS_PREFIX": f"test-{uuid4().hex[:12]}",
    }
    yield request.param
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


@pytest.fixture
def cache(alias: str) -> MultiTierAudioCache:
    return get_audio_cache()


@pytest.fixture
def boss(alias: str) -> Client:
    return superuser()


@pytest.fixture
def reader(alias: str) -> Client:
    """May look, and may not see texts."""
    return staff("view_audiocacheentry")


def row(key: str) -> AudioCacheEntry:
    found: AudioCacheEntry = AudioCacheEntry.objects.get(key=key)
    return found


def fill(number: int, **fields: Any) -> None:
    now = now_ms()
    digests = [sha256(f"{number}-{place}-{fields}".encode()).hexdigest() for place in range(number)]
    AudioCacheEntry.objects.bulk_create(
        [
            AudioCacheEntry(
                **{
                    "key": digest,
                    "text_digest": digest,
                    "source_key": digest,
                    "text": f"phrase {place}",
                    "provider": "tone",
                    "voice": f"voice-{place % 3}",
                    "content_type": "audio/wav",
                    "size": len(WAV),
                    "checksum": checksum(WAV),
                    "created": now,
                    "used": now,
                    "expires": now + HOUR,
                    "keep_until": now + HOUR,
                    "audio": WAV,
                }
                | fields
            )
            for place, digest in enumerate(digests)
        ],
        batch_size=500,
    )


def multiply(times: int) -> None:
    """Each row so many times more, under keys of their own: one statement for thousands."""
    entries = AudioCacheEntry.objects.all()
    columns = [field.column for field in entries.model._meta.concrete_fields]
    names = [name for name in columns if name != "id"]
    keys = {"key", "text_digest", "source_key"}
    new = (f"substr({name}, 1, 56) || CAST(n AS TEXT)" if name in keys else name for name in names)
    first = 10_000_000
    with connections[entries.db].cursor() as cursor:
        cursor.execute(
            f"INSERT INTO audiocache_entry ({', '.join(names)})"
            f" WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL"
            f" SELECT n + 1 FROM numbers WHERE n + 1 < {first + times})"
            f" SELECT {', '.join(new)} FROM audiocache_entry, numbers"
        )


def post_action(client: Client, action: str, *pks: int, **more: Any) -> Any:
    data = {"action": action, "_selected_action": list(pks), **more}
    return client.post(LIST, data, follow=True)


@contextmanager
def driver_trace(alias: str) -> Iterator[list[str]]:
    """Every statement of this thread that reaches the driver, Django's or the tier's own."""
    connection = connections[alias]
    connection.ensure_connection()
    said: list[str] = []
    if connection.vendor == "sqlite":
        connection.connection.set_trace_callback(said.append)
        yield said
        connection.connection.set_trace_callback(None)
        return
    raw = connection.connection
    factory = raw.cursor_factory

    class Listening(factory):  # type: ignore[misc, valid-type]
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            said.append(str(query))
            return super().execute(query, *args, **kwargs)

    raw.cursor_factory = Listening
    yield said
    raw.cursor_factory = factory


def statements(said: list[str]) -> list[str]:
    """Without the savepoints of tests and what triggers do."""
    return [sql for sql in said if not re.match(r"\s*(--|BEGIN|COMMIT|SAVEPOINT|RELEASE)", sql)]


def reads_audio(sql: str) -> bool:
    chosen = re.search(r"SELECT(.*?)FROM", sql, re.DOTALL)
    return bool(chosen and re.search(r'\baudio\b|"audio"', chosen.group(1)))


def assert_bounded(said: list[str]) -> None:
    for sql in said:
        assert "COUNT(" not in sql.upper(), sql
        assert not reads_audio(sql), sql


# The list


def test_the_list_shows_what_is_known_of_an_entry(boss: Client, cache: MultiTierAudioCache) -> None:
    key = cache.put(SECRET, WAV, voice="nova", provider="tone", ttl_seconds=3 * 3600 + 60)
    page = boss.get(LIST).content.decode()
    for shown in (key[:12], "nova", "tone", "audio/wav", SECRET, "in 3\xa0hours", "bytes"):
        assert shown in page
    assert key not in page


@ON_EITHER
def test_times_are_told_as_people_do(boss: Client, cache: MultiTierAudioCache) -> None:
    entry = row(cache.put(SECRET, WAV, ttl_seconds=FOREVER))
    AudioCacheEntry.objects.filter(pk=entry.pk).update(created=1_800_000_000_123)
    page = boss.get(f"{LIST}{entry.pk}/change/").content.decode()
    assert "Jan. 15, 2027, 8 a.m. UTC" in page
    assert "None" not in page


@ON_EITHER
def test_an_entry_without_end_never_expires(boss: Client, cache: MultiTierAudioCache) -> None:
    fill(1, expires=NEVER, keep_until=NEVER)
    assert "never" in boss.get(LIST).content.decode()


@ON_EITHER
def test_an_entry_that_nobody_has_asked_for_was_never_used(boss: Client, alias: str) -> None:
    fill(1, used=0)
    assert '<td class="field-last_used">-</td>' in boss.get(LIST).content.decode()


@ON_EITHER
def test_an_entry_of_the_year_ten_thousand_can_be_shown(boss: Client, alias: str) -> None:
    fill(1, expires=NEVER - 1, keep_until=NEVER - 1)
    assert boss.get(LIST).status_code == 200
    [entry] = AudioCacheEntry.objects.all()
    assert boss.get(f"{LIST}{entry.pk}/change/").status_code == 200


@ON_EITHER
def test_stale_and_expired_entries_say_since_when(boss: Client, alias: str) -> None:
    now = now_ms()
    fill(1, expires=now - 2 * HOUR, keep_until=now + HOUR)
    fill(2, expires=now - 3 * HOUR, keep_until=now - 3 * HOUR)
    page = boss.get(LIST).content.decode()
    assert "2\xa0hours ago, kept as stale" in page
    assert "3\xa0hours ago" in page


FILTERED = {
    "state=fresh": 3,
    "state=soon": 2,
    "state=stale": 4,
    "state=expired": 5,
    "state=nonsense": 12,
    "pinned=yes": 1,
    "pinned=no": 11,
    "type=audio/wav": 11,
    "type=other": 1,
    "size=small": 10,
    "size=medium": 0,
    "size=large": 0,
    "size=huge": 2,
    'voice=["tone"]': 11,
    'voice=["tone", "", "voice-2"]': 2,
    "voice=[1]": 12,
    "voice={": 12,
}


def test_filters(boss: Client, alias: str) -> None:
    now = now_ms()
    fill(2)
    fill(1, expires=NEVER, keep_until=NEVER, pinned=True, content_type="text/html", provider="x")
    fill(4, expires=now - HOUR, keep_until=now + HOUR)
    fill(5, expires=now - HOUR, keep_until=now - 1)
    chosen = AudioCacheEntry.objects.filter(keep_until=now - 1)[:2]
    AudioCacheEntry.objects.filter(pk__in=[entry.pk for entry in chosen]).update(size=2 * 2**20)
    lists = {query: boss.get(f"{LIST}?{query}").context["cl"] for query in FILTERED}
    assert {query: shown.result_count for query, shown in lists.items()} == FILTERED
    assert {query: len(shown.result_list) for query, shown in lists.items()} == FILTERED


@ON_EITHER
def test_only_the_filters_can_be_asked_by_address(boss: Client, reader: Client) -> None:
    fill(1)
    for client in (boss, reader):
        assert client.get(f"{LIST}?text__startswith=p").status_code == 400
        assert client.get(f"{LIST}?audio__contains=p").status_code == 400


def test_the_voices_to_choose_from_come_from_the_index(alias: str) -> None:
    assert kinds() == []
    fill(9)
    fill(2, provider="openai", model="m1", voice="nova")
    assert kinds() == [
        Kind("openai", "m1", "nova"),
        Kind("tone", "", "voice-0"),
        Kind("tone", "", "voice-1"),
        Kind("tone", "", "voice-2"),
    ]
    assert len(kinds(limit=2)) == 2


@ON_EITHER
def test_voices_are_offered_below_their_provider(boss: Client, alias: str) -> None:
    fill(2)
    specs = boss.get(LIST).context["cl"].filter_specs
    [voices] = [spec for spec in specs if isinstance(spec, VoiceFilter)]
    assert [title for _, title in voices.lookup_choices] == [
        "tone",
        "tone · - · voice-0",
        "tone · - · voice-1",
    ]


# Searching


def search_for(client: Client, typed: str) -> Any:
    return client.post(LIST, {"typed": typed}, follow=True)


def test_a_text_finds_all_its_variants(boss: Client, cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, WAV)
    cache.put(SECRET, WAV, voice="nova")
    cache.put("another", WAV)
    response = search_for(boss, f"  {SECRET.replace(' ', '   ')}\n")
    assert response.context["cl"].result_count == 2


def test_a_text_of_an_earlier_cache_is_found_as_it_was_stored(boss: Client, alias: str) -> None:
    fill(1, text=None, text_digest=sha256(b"two  spaces").hexdigest())
    assert search_for(boss, "two  spaces").context["cl"].result_count == 1


@ON_EITHER
def test_no_address_holds_the_text(boss: Client, cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, WAV)
    fill(120)
    response = search_for(boss, SECRET)
    [(address, _)] = response.redirect_chain
    assert "secret" not in unquote_plus(address)
    page = boss.get(f"{LIST}?q={SECRET}").content.decode()
    assert not [link for link in re.findall(r'href="([^"]*)', page) if "secret" in link]


@ON_EITHER
def test_a_search_keeps_the_filters_and_begins_at_the_first_page(boss: Client, alias: str) -> None:
    response = boss.post(f"{LIST}?state=fresh&p=3", {"typed": "hello"})
    assert "state=fresh" in response["Location"]
    assert "p=3" not in response["Location"]


@pytest.mark.parametrize("digits", [64, 20, 8])
def test_a_key_or_its_beginning_finds_the_entry(
    boss: Client, cache: MultiTierAudioCache, digits: int
) -> None:
    key = cache.put(SECRET, WAV)
    fill(50)
    [entry] = search_for(boss, key[:digits].upper()).context["cl"].result_list
    assert entry.key == key


@ON_EITHER
def test_digits_that_are_no_key_are_a_text(boss: Client, cache: MultiTierAudioCache) -> None:
    key = cache.put("12345678", WAV)
    response = search_for(boss, "12345678")
    assert [entry.key for entry in response.context["cl"].result_list] == [key]
    assert "12345678" not in response.redirect_chain[0][0].replace(key, "")


@pytest.mark.parametrize("typed", ["nul\x00", "\ud800".encode("utf-16", "surrogatepass")])
def test_what_can_be_no_text_finds_nothing(boss: Client, alias: str, typed: Any) -> None:
    fill(1)
    assert search_for(boss, typed).context["cl"].result_count == 0


@ON_EITHER
def test_a_search_by_text_needs_the_permission(reader: Client, cache: MultiTierAudioCache) -> None:
    key = cache.put(SECRET, WAV)
    assert search_for(reader, SECRET).context["cl"].result_count == 0
    digest = sha256(SECRET.encode()).hexdigest()
    assert reader.get(f"{LIST}?q=text:{digest}").context["cl"].result_count == 0
    assert search_for(reader, key).context["cl"].result_count == 1


@ON_EITHER
def test_an_empty_search_shows_all(boss: Client, alias: str) -> None:
    fill(3)
    assert search_for(boss, "  ").context["cl"].result_count == 3


# Permissions


def test_texts_are_only_for_those_with_the_permission(
    reader: Client, cache: MultiTierAudioCache, alias: str
) -> None:
    entry = row(cache.put(SECRET, WAV, voice="nova", instructions="whisper it"))
    allowed = staff("view_audiocacheentry", "view_text")
    pages = (LIST, f"{LIST}{entry.pk}/change/", f"{LIST}{entry.pk}/history/")
    for page in pages:
        with CaptureQueriesContext(connections[alias]) as queries:
            content = reader.get(page).content.decode()
        assert SECRET not in content
        assert "whisper" not in content
        for query in queries:
            assert '"audiocache_entry"."text",' not in query["sql"]
    assert SECRET in allowed.get(LIST).content.decode()
    assert "whisper" in allowed.get(pages[1]).content.decode()


@ON_EITHER
def test_without_the_view_permission_there_is_nothing(alias: str) -> None:
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    nobody = staff()
    for page in (LIST, f"{LIST}{entry.pk}/change/", f"{LIST}{entry.pk}/audio/"):
        assert nobody.get(page).status_code == 403
    assert nobody.post(LIST, {"typed": "x"}).status_code == 403
    assert Client().get(f"{LIST}{entry.pk}/audio/").status_code == 302


@ON_EITHER
def test_nothing_is_added_or_changed_by_hand(boss: Client, alias: str) -> None:
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    assert boss.get(f"{LIST}add/").status_code == 403
    assert boss.post(f"{LIST}{entry.pk}/change/", {"text": "other"}).status_code == 403
    assert 'name="_save"' not in boss.get(f"{LIST}{entry.pk}/change/").content.decode()


@ON_EITHER
def test_actions_need_their_permissions(reader: Client, alias: str) -> None:
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    for action in ("delete_selected", "extend", "pin", "unpin"):
        post_action(reader, action, entry.pk, post="yes")
    after = AudioCacheEntry.objects.get(pk=entry.pk)
    assert (after.expires, after.pinned) == (entry.expires, False)
    page = boss_actions(staff("view_audiocacheentry", "change_audiocacheentry"))
    assert "extend" in page
    assert "delete_selected" not in page


def boss_actions(client: Client) -> set[str]:
    form = client.get(LIST).context["action_form"]
    return {name for name, _ in form.fields["action"].choices}


# Listening


def test_the_page_of_an_entry_holds_a_player_and_no_sound(
    boss: Client, cache: MultiTierAudioCache, alias: str
) -> None:
    entry = row(cache.put(SECRET, WAV))
    with driver_trace(alias) as said:
        page = boss.get(f"{LIST}{entry.pk}/change/").content.decode()
    address = reverse("admin:audiocache_audiocacheentry_audio", args=[entry.pk])
    assert f'<audio controls preload="none" src="{address}">' in page
    assert_bounded(statements(said))
    response = boss.get(address)
    assert response.content == WAV
    assert response["Content-Type"] == "audio/wav"
    assert "private" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"


@ON_EITHER
@pytest.mark.parametrize(
    "content_type", ["text/html", "image/svg+xml", "", "audio/wav\r\nX: y", "application/x"]
)
def test_what_is_no_known_audio_is_sent_as_bytes(
    boss: Client, alias: str, content_type: str
) -> None:
    fill(1, content_type=content_type, audio=b"<script>alert(1)</script>")
    [entry] = AudioCacheEntry.objects.all()
    response = boss.get(f"{LIST}{entry.pk}/audio/")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response["Content-Security-Policy"]
    page = boss.get(f"{LIST}{entry.pk}/change/").content.decode()
    assert "<audio" not in page
    assert "Download" in page


def test_parameters_of_a_content_type_are_left() -> None:
    assert playable_type("Audio/MPEG; rate=8000") == "audio/mpeg"


@ON_EITHER
def test_a_part_of_the_sound_can_be_asked_for(boss: Client, cache: MultiTierAudioCache) -> None:
    address = f"{LIST}{row(cache.put(SECRET, WAV)).pk}/audio/"
    response = boss.get(address, headers={"Range": "bytes=4-7"})
    assert (response.status_code, response.content) == (206, WAV[4:8])
    assert response["Content-Range"] == f"bytes 4-7/{len(WAV)}"
    assert boss.get(address, headers={"Range": "bytes=999-"}).status_code == 416
    fresh = boss.get(address, headers={"Range": "bytes=0-3", "If-Range": response["ETag"]})
    old = boss.get(address, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (fresh.status_code, old.status_code) == (206, 200)


def test_a_sound_in_a_storage_is_played_from_there(
    boss: Client, cache: MultiTierAudioCache, settings: Any, tmp_path: Path
) -> None:
    backend = "django.core.files.storage.FileSystemStorage"
    options = {"location": str(tmp_path)}
    settings.STORAGES = settings.STORAGES | {"clips": {"BACKEND": backend, "OPTIONS": options}}
    settings.AUDIOCACHE = settings.AUDIOCACHE | {"STORAGE": "clips", "INLINE_MAX_KB": 0.01}
    entry = row(get_audio_cache().put(SECRET, WAV))
    assert entry.storage_name
    assert "<audio" in boss.get(f"{LIST}{entry.pk}/change/").content.decode()
    assert boss.get(f"{LIST}{entry.pk}/audio/").content == WAV
    (tmp_path / entry.storage_name).unlink()
    assert boss.get(f"{LIST}{entry.pk}/audio/").status_code == 404


def test_where_there_is_no_sound_there_is_no_page(boss: Client, alias: str) -> None:
    fill(1, audio=None, storage_name="clips/1")
    [entry] = AudioCacheEntry.objects.all()
    assert boss.get(f"{LIST}{entry.pk}/audio/").status_code == 404
    assert boss.get(f"{LIST}999999/audio/").status_code == 404


# Actions


def tiers_with(cache: MultiTierAudioCache, key: str) -> set[str]:
    clip = cache.clip(SECRET)
    assert clip.key == key
    return {name for name, entry in cache.ladder.where(clip).items() if entry}


def test_remove_empties_every_tier(boss: Client, cache: MultiTierAudioCache) -> None:
    key = cache.put(SECRET, WAV)
    entry = row(key)
    assert tiers_with(cache, key) == {"memory", "persistent", "distributed"}
    asked = post_action(boss, "delete_selected", entry.pk)
    assert key[:12] in asked.content.decode()
    assert tiers_with(cache, key)
    done = post_action(boss, "delete_selected", entry.pk, post="yes")
    assert "Successfully deleted 1" in done.content.decode()
    assert tiers_with(cache, key) == set()
    assert SECRET not in str(list(LogEntry.objects.values()))


def test_removing_one_on_its_page_empties_every_tier(
    boss: Client, cache: MultiTierAudioCache
) -> None:
    key = cache.put(SECRET, WAV)
    boss.post(f"{LIST}{row(key).pk}/delete/", {"post": "yes"})
    assert tiers_with(cache, key) == set()
    assert not AudioCacheEntry.objects.exists()


def test_a_row_is_removed_although_the_cache_does_not_use_the_database(
    boss: Client, alias: str
) -> None:
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    replace_audio_cache(MultiTierAudioCache(CacheConfig(backend="memory")))
    post_action(boss, "delete_selected", entry.pk, post="yes")
    assert not AudioCacheEntry.objects.exists()
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    post_action(boss, "pin", entry.pk)
    assert AudioCacheEntry.objects.get().pinned


def test_extend_adds_the_configured_life_in_every_tier(
    boss: Client, cache: MultiTierAudioCache
) -> None:
    key = cache.put(SECRET, WAV, ttl_seconds=3600)
    before = row(key)
    done = post_action(boss, "extend", before.pk).content.decode()
    assert "1 entry was extended." in done
    wanted = before.expires + 24 * HOUR
    assert row(key).expires == wanted
    assert cache.get(SECRET) == WAV
    lives = cache.ladder.where(cache.clip(SECRET))
    assert {name: entry and entry.expires for name, entry in lives.items()} == {
        "memory": wanted,
        "persistent": wanted,
        "distributed": wanted,
    }


def test_extend_revives_from_now_and_leaves_what_has_no_end(boss: Client, alias: str) -> None:
    fill(1, expires=now_ms() - HOUR, keep_until=now_ms() + HOUR)
    fill(2, expires=NEVER, keep_until=NEVER)
    stale, *endless = AudioCacheEntry.objects.order_by("id")
    done = post_action(boss, "extend", stale.pk, *(entry.pk for entry in endless))
    assert "1 entry was extended." in done.content.decode()
    assert AudioCacheEntry.objects.get(pk=stale.pk).expires >= now_ms() + 23 * HOUR
    assert AudioCacheEntry.objects.filter(expires=NEVER).count() == 2
    for action in ("extend", "unpin"):
        again = post_action(boss, action, endless[0].pk)
        assert "No entry needed it." in again.content.decode()
    post_action(boss, "pin", 999_999)


def test_extend_by_a_life_of_months(boss: Client, alias: str, settings: Any) -> None:
    """In ms it is a number of more than four bytes."""
    settings.AUDIOCACHE = {**settings.AUDIOCACHE, "TTL_HOURS": 2000, "STALE_IF_ERROR_HOURS": 1000}
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    post_action(boss, "extend", entry.pk)
    extended = AudioCacheEntry.objects.get()
    assert extended.expires >= now_ms() + 1999 * HOUR
    assert extended.keep_until == extended.expires + 1000 * HOUR


def test_extend_is_for_ever_when_the_configured_life_is(
    boss: Client, alias: str, settings: Any
) -> None:
    settings.AUDIOCACHE = {**settings.AUDIOCACHE, "TTL_HOURS": 0}
    fill(1)
    [entry] = AudioCacheEntry.objects.all()
    post_action(boss, "extend", entry.pk)
    assert AudioCacheEntry.objects.get().expires == NEVER


def test_a_pinned_entry_neither_expires_nor_is_evicted(
    boss: Client, cache: MultiTierAudioCache
) -> None:
    key = cache.put(SECRET, WAV, ttl_seconds=60)
    assert "1 entry was pinned." in post_action(boss, "pin", row(key).pk).content.decode()
    pinned = row(key)
    assert (pinned.pinned, pinned.expires, pinned.keep_until) == (True, NEVER, NEVER)
    assert cache.get(SECRET) == WAV
    lives = cache.ladder.where(cache.clip(SECRET)).values()
    assert {entry.expires for entry in lives if entry} == {NEVER}
    assert "1 entry was unpinned." in post_action(boss, "unpin", pinned.pk).content.decode()
    after = row(key)
    assert not after.pinned
    assert now_ms() < after.expires <= now_ms() + 24 * HOUR
    assert LogEntry.objects.count() == 2


def test_a_row_of_a_later_release_is_left_alone(boss: Client, alias: str) -> None:
    fill(1, schema_version=32_000)
    [entry] = AudioCacheEntry.objects.all()
    for action in ("extend", "pin"):
        post_action(boss, action, entry.pk)
    after = AudioCacheEntry.objects.get()
    assert (after.expires, after.pinned) == (entry.expires, False)


def test_too_many_at_a_time_are_refused(boss: Client, alias: str) -> None:
    fill(501)
    [some, *_] = AudioCacheEntry.objects.all()[:1]
    said = post_action(boss, "delete_selected", some.pk, select_across="1", post="yes")
    assert "At most 500 entries at a time." in said.content.decode()
    assert AudioCacheEntry.objects.count() == 501
    said = post_action(boss, "pin", some.pk, select_across="1")
    assert "501 entries were pinned." in said.content.decode()


@ON_EITHER
def test_the_question_before_a_removal_shows_a_hundred_keys(boss: Client, alias: str) -> None:
    fill(150)
    pks = [entry.pk for entry in AudioCacheEntry.objects.all()]
    page = post_action(boss, "delete_selected", *pks).content.decode()
    assert "…" in page
    assert len(re.findall(r"<li>[0-9a-f]{12}</li>", page)) == 100


# Ten thousand rows (Must show 10)


def traced(alias: str, call: Callable[[], Any]) -> list[str]:
    call()  # content types, sessions and dialects are known from here on
    with driver_trace(alias) as said:
        call()
    return statements(said)


@pytest.mark.untraced
def test_must_show_10_list_statistics_and_cleanup_take_the_same_queries_at_any_size(
    boss: Client, cache: MultiTierAudioCache, alias: str
) -> None:
    addresses = (LIST, f"{LIST}?p=2", f"{LIST}?state=fresh", f"{LIST}?q=text:{'0' * 64}")

    def look() -> None:
        for address in addresses:
            assert boss.get(address).status_code == 200
        cache.get_comprehensive_stats()
        cache.get_installation_stats()
        cache.cleanup_expired()

    fill(100)
    few = traced(alias, look)
    multiply(99)
    with CaptureQueriesContext(connections["default"]) as site:
        many = traced(alias, look)
    assert len(few) == len(many) > 0
    assert_bounded(many)
    assert cache.get_comprehensive_stats()["backends"]["persistent"]["entry_count"] == 10_000
    assert not [query for query in site if "audiocache_entry" in query["sql"]]


def test_pages_end_where_the_database_would_have_to_walk(boss: Client, alias: str) -> None:
    fill(1_200)
    page = boss.get(LIST).context["cl"]
    assert page.result_count == 1_200
    assert page.paginator.num_pages == 20
    assert "first 1000 can be leafed through" in boss.get(LIST).content.decode()
    filtered = boss.get(f"{LIST}?state=fresh").context["cl"]
    assert filtered.result_count == 1_000
    assert boss.get(f"{LIST}?p=21").status_code == 302


def test_the_trace_sees_sound_and_counts() -> None:
    assert reads_audio(Dialect.select_entries)
    assert not reads_audio("SELECT audio_sha256 FROM audiocache_entry")
