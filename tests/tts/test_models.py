"""Phrases in the admin: checked as the provider would, switched on and off, translatable."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from tests import people
from tts.models import WarmPhrase
from tts.service import TTSService

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff"))
    return client


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": " \t"}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"text": "Hello", "voice": "nobody"}, "voice"),
        ({"text": "x" * 20_000}, "text"),
    ],
)
def test_a_phrase_that_cannot_be_spoken_is_refused(
    installed: TTSService, fields: dict[str, str], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        WarmPhrase(**fields).full_clean()
    assert field in caught.value.message_dict


def test_an_error_elsewhere_belongs_to_the_whole_form(
    installed: TTSService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(installed.provider), "default_format", "tape")
    with pytest.raises(ValidationError) as caught:
        WarmPhrase(text="Hello").full_clean()
    assert "audio_format" in str(caught.value.message_dict["__all__"])


def test_a_phrase_may_be_written_before_speech_is_set_up(
    installed: TTSService, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(installed.config, "enabled", False)
    WarmPhrase(text="Hello").full_clean()


def test_phrases_are_listed_and_added_and_no_log_keeps_their_text(
    installed: TTSService, staff: Client
) -> None:
    url = reverse("admin:tts_warmphrase_add")
    assert staff.post(url, {"text": "Welcome.", "enabled": "on"}).status_code == 302
    page = staff.get(reverse("admin:tts_warmphrase_changelist"))
    assert "Welcome." in page.content.decode()
    phrase = WarmPhrase.objects.get()
    assert str(phrase) == f"phrase {phrase.pk}"
    assert LogEntry.objects.get().object_repr == str(phrase)


@pytest.mark.parametrize(("action", "enabled"), [("enable", True), ("disable", False)])
def test_actions_switch_phrases_and_count(staff: Client, action: str, enabled: bool) -> None:
    phrases = [WarmPhrase.objects.create(text=f"{n}", enabled=not enabled) for n in range(2)]
    page = staff.post(
        reverse("admin:tts_warmphrase_changelist"),
        {"action": action, "_selected_action": [phrase.pk for phrase in phrases]},
        follow=True,
    )
    assert "2 phrases were changed." in page.content.decode()
    assert WarmPhrase.objects.filter(enabled=enabled).count() == 2


def test_the_migrations_are_complete() -> None:
    call_command("makemigrations", "tts", check=True, dry_run=True, stdout=StringIO())


@pytest.mark.parametrize(("permission", "enabled"), [("view", False), ("change", True)])
def test_who_may_only_look_switches_nothing_on(permission: str, enabled: bool) -> None:
    phrase = WarmPhrase.objects.create(text="Hello", enabled=False)
    act = {"action": "enable", "_selected_action": [phrase.pk]}
    people.staff(f"{permission}_warmphrase").post("/admin/tts/warmphrase/", act)
    phrase.refresh_from_db()
    assert phrase.enabled is enabled
