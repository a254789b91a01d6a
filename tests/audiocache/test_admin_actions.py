"""What the admin removes is what was chosen, and nothing that came since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory

from audiocache import MultiTierAudioCache, get_audio_cache, signals
from audiocache.models import AudioCacheEntry

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])


@pytest.fixture
def made_anew() -> Iterator[None]:
    """Whoever removes a clip finds that somebody has just made it again."""

    def make(cache: MultiTierAudioCache, **_: Any) -> None:
        cache.put("Hello", b"new sound")

    signals.entry_removed.connect(make)
    yield
    signals.entry_removed.disconnect(make)


@pytest.mark.usefixtures("made_anew")
def test_a_clip_that_was_made_anew_meanwhile_stays() -> None:
    cache = get_audio_cache()
    cache.put("Hello", b"old sound")
    [chosen] = AudioCacheEntry.objects.all()
    entries = admin.site.get_model_admin(AudioCacheEntry)
    entries.delete_model(RequestFactory().post("/"), chosen)
    [left] = AudioCacheEntry.objects.all()
    assert bytes(left.audio) == b"new sound"
