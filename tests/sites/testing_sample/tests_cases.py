"""The project's tests with unittest: `manage.py test`."""

from __future__ import annotations

import threading
from typing import ClassVar

from django.db import transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from audiocache import get_audio_cache
from audiocache.testing import SpeechCalls, override_speech
from tts import TTSError

from .models import Announcement
from .watch import assert_nothing_left_the_process


@override_speech()
class WithoutDatabase(SimpleTestCase):
    speech: SpeechCalls

    def tearDown(self) -> None:
        assert_nothing_left_the_process()

    def test_a_phrase_is_spoken_once(self) -> None:
        first = self.client.get("/say/Hello")
        second = self.client.get("/say/Hello")
        assert first.content == second.content
        assert first["Content-Type"] == "audio/mpeg"
        assert self.speech.texts == ["Hello"]
        assert self.speech[0].voice == "nova"

    def test_every_test_starts_empty(self) -> None:
        assert len(self.speech) == 0
        assert self.speech.stored == []
        self.client.get("/say/Hello")
        assert self.speech.texts == ["Hello"]

    def test_a_failing_provider(self) -> None:
        self.speech.fail_with = TTSError("down")
        self.assertContains(self.client.get("/say/Hello"), "Please read: Hello", status_code=503)

    def test_settings_may_change_inside(self) -> None:
        self.client.get("/say/Hello")
        with self.settings(TTS={"VOICE": "echo"}):
            self.client.get("/say/Hello")
        with self.settings(AUDIOCACHE={"TTL_HOURS": 1}):
            get_audio_cache().put("other", b"audio")
        self.client.get("/say/Hello")
        assert [request.voice for request in self.speech] == ["nova", "echo"]

    def test_a_service_of_the_views_own(self) -> None:
        assert self.client.get("/press/1").content[:4] == b"RIFF"
        assert self.speech.texts == ["You pressed 1"]
        assert self.speech[0].voice == "menu"

    async def test_async(self) -> None:
        response = await self.async_client.get("/asay/Hello")
        assert response.status_code == 200
        assert self.speech[0].voice == "echo"

    def test_threads(self) -> None:
        threads = [threading.Thread(target=self.client.get, args=["/say/Hi"]) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.speech.texts == ["Hi"]

    @override_speech(kwarg_name="inner")
    def test_nested(self, inner: SpeechCalls) -> None:
        self.client.get("/say/Hello")
        assert (len(inner), len(self.speech)) == (1, 0)


@override_speech()
class WithDatabase(TestCase):
    speech: SpeechCalls
    announcement: ClassVar[Announcement]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.announcement = Announcement.objects.create(text="The shop closes")
        cls.announcement.speak()  # under the override, too

    def tearDown(self) -> None:
        assert_nothing_left_the_process()

    def test_the_view_queries_for_itself_alone(self) -> None:
        with self.assertNumQueries(2):
            response = self.client.get(f"/announce/{self.announcement.pk}")
        assert self.speech.texts == ["The shop closes"]
        assert self.speech.stored[0].audio == response.content
        self.announcement.refresh_from_db()
        assert self.announcement.seconds > 0


class WithTransactions(TransactionTestCase):
    def tearDown(self) -> None:
        assert_nothing_left_the_process()

    def test_a_rollback_keeps_the_clip(self) -> None:
        with override_speech() as speech:
            for _ in range(2):
                try:
                    with transaction.atomic():
                        Announcement.objects.create(text="Gone").speak()
                        raise LookupError
                except LookupError:
                    pass
        assert Announcement.objects.count() == 0
        assert len(speech) == 1

    @override_speech(kwarg_name="speech")
    def test_a_method(self, speech: SpeechCalls) -> None:
        Announcement(text="Now").speak()
        assert speech.texts == ["Now"]
