"""Refused bytes for people: bounded, listened to, accepted, discarded; texts for those who may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections
from django.test import Client

from audiocache import MultiTierAudioCache, get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.clock import now_ms
from audiocache.entries import Clip, Recording
from audiocache.keys import clip_of
from audiocache.models import AudioCacheEntry, RefusedClip
from audiocache.pulse import pulse
from tests.people import staff, superuser
from tests.tts.databases import ALIASES
from tests.tts.doubles import StubProvider
from tts.admission import admit
from tts.conf import TTSConfig
from tts.exceptions import NotAudio
from tts.quarantine import Limits, described
from tts.refusals import Refusals, refusals_of
from tts.speech import SpeechRequest
from tts.verdicts import accept, discard
from tts.wav import wav_of

LIST = "/admin/audiocache/refusedclip/"
SECRET = "The quick brown secret"
SILENCE = wav_of(bytes(48_000), 8000)
JSON = b'{"error": "The quick brown secret is no text of ours"}'


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": request.param}
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


def clip_named(text: str = SECRET, **variant: Any) -> Clip:
    given = {"provider": "stub", "model": "m1", "voice": "alto", "language": "en", "format": "wav"}
    return clip_of(text, given | variant, "shop", source_variant=given | variant | {"format": None})


def refuse(audio: bytes = SILENCE, text: str = SECRET, **variant: Any) -> Clip:
    clip = clip_named(text, **variant)
    error = NotAudio("the answer is silent", provider="stub")
    error.recording = Recording(audio=audio, cost=12, billed_units=3, timings="[[0,0,3]]")
    refusals_of(get_audio_cache()).note(clip, error)
    return clip


def rows() -> list[RefusedClip]:
    return list(RefusedClip.objects.order_by("refused", "id"))


def is_refused(clip: Clip) -> bool:
    try:
        refusals_of(get_audio_cache()).check(clip.source_key)
    except NotAudio:
        return True
    return False


def act(client: Client, action: str, **more: Any) -> Any:
    pks = [row.pk for row in rows()]
    return client.post(LIST, {"action": action, "_selected_action": pks, **more}, follow=True)


class TestKeeping:
    def test_a_refused_clip_is_kept_with_all_its_fields(self, cache: MultiTierAudioCache) -> None:
        clip = refuse()
        [row] = rows()
        assert (row.key, row.source_key, row.namespace) == (clip.key, clip.source_key, "shop")
        assert (row.provider, row.model, row.voice, row.language) == ("stub", "m1", "alto", "en")
        assert (row.text, row.variant) == (SECRET, clip.variant)
        assert (row.content_type, row.size, row.duration_ms) == ("audio/wav", 48_044, 3000)
        assert (row.cost, row.billed_units, row.timings) == (12, 3, "[[0,0,3]]")
        assert bytes(row.audio or b"") == SILENCE
        assert row.kept

    def test_the_recording_comes_from_admission(self, cache: MultiTierAudioCache) -> None:
        provider = StubProvider(TTSConfig())
        asked = provider.complete(SpeechRequest(SECRET, audio_format="wav"))
        clip = asked.clip()
        with pytest.raises(NotAudio) as caught:
            admit(Recording(audio=SILENCE), asked)
        refusals_of(cache).note(clip, caught.value)
        assert bytes(rows()[0].audio or b"") == SILENCE

    def test_the_oldest_leave_first_by_count(self, cache: MultiTierAudioCache) -> None:
        refusals_of(cache, Limits(3, 10**6))
        clips = [refuse(text=f"text {number}") for number in range(6)]
        kept = [row.key for row in rows() if row.kept]
        assert kept == [clip.key for clip in clips[3:]]
        assert all(row.audio is None for row in rows() if not row.kept)
        assert all(is_refused(clip) for clip in clips)

    def test_the_oldest_leave_first_by_bytes(self, cache: MultiTierAudioCache) -> None:
        refusals_of(cache, Limits(100, 2 * len(SILENCE) + 10))
        clips = [refuse(text=f"text {number}") for number in range(4)]
        assert [row.key for row in rows() if row.kept] == [clip.key for clip in clips[2:]]
        refuse(SILENCE * 3, "too large for it")
        assert len([row for row in rows() if row.kept]) == 2

    @pytest.mark.parametrize("limits", [Limits(0, 10**6), Limits(10, 0)])
    def test_0_switches_it_off(self, cache: MultiTierAudioCache, limits: Limits) -> None:
        refusals_of(cache, limits)
        clip = refuse()
        assert rows()[0].audio is None
        assert is_refused(clip)

    def test_settings_name_the_limits(self, settings: Any) -> None:
        settings.TTS = {"QUARANTINE_MAX_CLIPS": 7, "QUARANTINE_MAX_MB": 0.5}
        assert Limits.load() == Limits(7, 524_288)
        settings.TTS = {"QUARANTINE_MAX_CLIPS": -1}
        with pytest.raises(ImproperlyConfigured, match="TTS_QUARANTINE_MAX_CLIPS"):
            Limits.load()

    def test_without_text_neither_text_nor_a_message_that_may_repeat_it(
        self, alias: str, settings: Any
    ) -> None:
        settings.AUDIOCACHE = {"PERSISTENT_DATABASE": alias, "STORE_TEXT": False}
        refuse()
        refuse(JSON, "another text")
        sound, words = rows()
        assert (sound.text, words.text) == (None, None)
        assert (sound.kept, words.kept) == (True, False)

    def test_what_was_refused_is_told_from_its_bytes(self) -> None:
        told = described(Recording(audio=SILENCE[:-9], content_type="text/html"))
        assert (told.content_type, told.duration_ms) == ("audio/wav", None)
        assert described(None).audio == b""


class TestVerdicts:
    def test_accepting_stores_the_clip_and_forgets(self, cache: MultiTierAudioCache) -> None:
        clip = refuse()
        assert len(accept(rows())) == 1
        assert not rows()
        assert not is_refused(clip)
        entry = cache.find(clip)
        assert entry is not None
        assert (entry.audio, entry.content_type, entry.duration_ms) == (SILENCE, "audio/wav", 3000)
        assert (entry.text, entry.variant, entry.source_key) == (
            SECRET,
            clip.variant,
            clip.source_key,
        )
        assert (entry.cost, entry.billed_units, entry.timings) == (12, 3, "[[0,0,3]]")
        row = AudioCacheEntry.objects.get(key=clip.key)
        assert (row.namespace, row.voice) == ("shop", "alto")

    def test_samples_have_the_type_that_was_asked_for(self, cache: MultiTierAudioCache) -> None:
        clip = refuse(b"\0\1" * 900, format="pcm_8000")
        assert len(accept(rows())) == 1
        entry = cache.find(clip)
        assert entry is not None
        assert entry.content_type == "audio/pcm"

    def test_damaged_bytes_are_not_accepted(self, cache: MultiTierAudioCache, alias: str) -> None:
        clip = refuse()
        RefusedClip.objects.update(audio=SILENCE[:-2] + b"xx")
        assert len(accept(rows())) == 0
        assert cache.find(clip) is None
        assert is_refused(clip)

    def test_bytes_that_are_gone_are_not_accepted(self, cache: MultiTierAudioCache) -> None:
        refusals_of(cache, Limits(0, 0))
        refuse()
        assert len(accept(rows())) == 0
        assert len(rows()) == 1

    def test_what_no_tier_takes_stays(self, cache: MultiTierAudioCache) -> None:
        refuse()
        for rung in cache.ladder.rungs:
            rung.tier.put_many = lambda *_, **__: set()  # type: ignore[method-assign]
        assert len(accept(rows())) == 0
        assert len(rows()) == 1

    def test_discarding_asks_the_provider_again(self, cache: MultiTierAudioCache) -> None:
        clip = refuse()
        assert discard(rows()) == 1
        assert not rows()
        assert not is_refused(clip)
        assert cache.find(clip) is None


class TestAdmin:
    def test_the_list_shows_why_and_plays(self, boss: Client) -> None:
        clip = refuse()
        page = boss.get(LIST).content.decode()
        assert clip.key[:12] in page
        assert "the answer is silent" in page
        assert f'src="{LIST}{rows()[0].pk}/audio/"' in page
        assert 'preload="none"' in page
        assert SECRET not in page

    def test_the_page_of_a_clip_shows_text_to_those_who_may_see_it(self, boss: Client) -> None:
        refuse()
        address = f"{LIST}{rows()[0].pk}/change/"
        assert SECRET in boss.get(address).content.decode()
        reader = staff("view_refusedclip")
        page = reader.get(address)
        assert page.status_code == 200
        assert SECRET not in page.content.decode()
        assert SECRET in staff("view_refusedclip", "view_text").get(address).content.decode()

    def test_lists_read_neither_sound_nor_texts(self, boss: Client, alias: str) -> None:
        refuse()
        with connections[alias].execute_wrapper(refuse_sound):
            assert boss.get(LIST).status_code == 200

    def test_the_sound_is_sent_in_parts_and_as_nothing_else(self, boss: Client) -> None:
        refuse()
        address = f"{LIST}{rows()[0].pk}/audio/"
        whole = boss.get(address)
        assert whole.content == SILENCE
        assert whole["Content-Type"] == "audio/wav"
        assert whole["X-Content-Type-Options"] == "nosniff"
        part = boss.get(address, headers={"Range": "bytes=0-9"})
        assert (part.status_code, part.content) == (206, SILENCE[:10])

    def test_a_message_is_a_download_for_those_who_may_see_texts(self, boss: Client) -> None:
        refuse(b"<script>alert(1)</script>" + JSON)
        address = f"{LIST}{rows()[0].pk}/audio/"
        answer = boss.get(address)
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment")
        assert "Download" in boss.get(LIST).content.decode()
        assert staff("view_refusedclip").get(address).status_code == 403

    def test_the_sound_is_for_those_who_may_look(self, boss: Client) -> None:
        refuse()
        address = f"{LIST}{rows()[0].pk}/audio/"
        assert staff().get(address).status_code == 403
        assert Client().get(address).status_code == 302
        assert staff("view_refusedclip").get(address).status_code == 200
        assert boss.get(f"{LIST}999999/audio/").status_code == 404

    def test_bytes_that_are_gone_have_no_player(self, boss: Client, cache: Any) -> None:
        refusals_of(cache, Limits(0, 0))
        refuse()
        assert "not kept" in boss.get(LIST).content.decode()
        assert boss.get(f"{LIST}{rows()[0].pk}/audio/").status_code == 404

    def test_accept(self, boss: Client, cache: MultiTierAudioCache) -> None:
        clips = [refuse(), refuse(text="another text")]
        page = act(boss, "accept").content.decode()
        assert "2 clips were stored." in page
        assert all(cache.find(clip) for clip in clips)
        assert not rows()
        assert LogEntry.objects.filter(change_message="accepted").count() == 2

    def test_the_log_names_those_alone_that_were_stored(self, boss: Client) -> None:
        refuse()
        refuse(b"", "nothing is left of it")
        stored = next(row.pk for row in rows() if row.audio)
        act(boss, "accept")
        assert list(LogEntry.objects.values_list("object_id", flat=True)) == [str(stored)]

    @pytest.mark.parametrize("lookup", ["text__startswith", "variant__contains", "audio__contains"])
    def test_no_text_is_guessed_by_an_address(self, alias: str, lookup: str) -> None:
        refuse()
        reader = staff("view_refusedclip")
        assert reader.get(LIST, {lookup: "The"}).status_code == 400
        for query in ({"kept__exact": "1"}, {"provider": "stub"}):
            assert "1 refused clip" in reader.get(LIST, query).content.decode()

    def test_accept_says_what_it_could_not(self, boss: Client, cache: Any) -> None:
        refusals_of(cache, Limits(0, 0))
        refuse()
        assert "no bytes any more" in act(boss, "accept").content.decode()

    def test_discard(self, boss: Client) -> None:
        clip = refuse()
        assert "Discard, and ask the provider again" in boss.get(LIST).content.decode()
        act(boss, "delete_selected", post="yes")
        assert not rows()
        assert not is_refused(clip)

    def test_discard_on_the_clips_page(self, boss: Client) -> None:
        clip = refuse()
        boss.post(f"{LIST}{rows()[0].pk}/delete/", {"post": "yes"})
        assert not rows()
        assert not is_refused(clip)

    def test_actions_want_their_permission(self, alias: str) -> None:
        refuse()
        page = staff("view_refusedclip").get(LIST).content.decode()
        assert 'value="accept"' not in page
        assert 'value="delete_selected"' not in page
        reader = staff("view_refusedclip")
        act(reader, "accept")
        act(reader, "delete_selected", post="yes")
        assert len(rows()) == 1

    def test_nothing_is_written_by_hand(self, boss: Client) -> None:
        refuse()
        assert boss.get(f"{LIST}add/").status_code == 403
        assert boss.post(f"{LIST}{rows()[0].pk}/change/", {"reason": "x"}).status_code == 403


def refuse_sound(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    chosen = sql.partition(" FROM ")[0]
    assert '"audiocache_refused"."audio"' not in chosen
    return execute(sql, params, many, context)


@pytest.mark.django_db
def test_the_migrations_are_complete() -> None:
    call_command("makemigrations", "audiocache", check=True, dry_run=True, verbosity=0)


def test_a_memory_says_when_it_was_refused() -> None:
    from audiocache import CacheConfig

    memory = Refusals(CacheConfig(backend="memory"), Limits(0, 0), now_ms)
    memory.note(clip_named(), NotAudio("the answer is empty"))
    with pytest.raises(NotAudio, match=r"refusal 1, the first at .* UTC; .* not asked again"):
        memory.check(clip_named().source_key)
