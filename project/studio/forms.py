"""What can be chosen in the studio: what the site's provider offers, and browsers play."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from project.demo.phrases import FOLDER
from tts.formats import codec_of, format_for
from tts.providers.base import Provider
from tts.speech import SpeechRequest
from tts.transcoding import is_made_here

PLAYABLE: Final = ("mp3", "opus", "aac", "flac", "wav")
"""Codecs that browsers know."""
MAX_PHRASES: Final = 40
MAX_TEXT: Final = 4096
SPEEDS: Final = (0.5, 2.0)
"""Outside of these nobody listens with pleasure, whatever a provider allows."""
DEFAULT: Final = ("", "Default")


class StudioForm(forms.Form):
    """A text and how it is to sound."""

    text = forms.CharField(
        max_length=MAX_TEXT,
        error_messages={"required": "type or pick something to say."},
        widget=forms.Textarea(attrs={"rows": 4, "autofocus": True, "spellcheck": "true"}),
    )
    voice = forms.CharField(required=False, max_length=200)
    audio_format = forms.ChoiceField(label="Format", required=False)
    speed = forms.FloatField(required=False)

    def __init__(self, provider: Provider, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer_voices(provider)
        self._offer_formats(provider)
        self._offer_speeds(provider)

    def speech_request(self) -> SpeechRequest:
        """Of a valid form."""
        given = self.cleaned_data
        return SpeechRequest(
            given["text"],
            voice=given["voice"] or None,
            audio_format=given["audio_format"] or None,
            speed=given.get("speed"),
        )

    def first_error(self) -> tuple[str, str]:
        """Of a form that is not valid: a field, and what is wrong with it."""
        field, errors = next(iter(self.errors.items()))
        return field, str(errors[0])

    def _offer_voices(self, provider: Provider) -> None:
        """A list to choose from, where the voices are known; else a name is typed."""
        if voices := provider.voices():
            choices = [DEFAULT, *((voice.id, _named(voice.id, voice.name)) for voice in voices)]
            self.fields["voice"] = forms.ChoiceField(choices=choices, required=False)

    def _offer_formats(self, provider: Provider) -> None:
        own = [name for name in provider.formats if codec_of(name) in PLAYABLE]
        made = [name for name in PLAYABLE if is_made_here(name) and not format_for(name, own)]
        formats = [*own, *made]
        self.fields["audio_format"] = forms.ChoiceField(
            label="Format", choices=[(name, name) for name in formats], required=False
        )

    def _offer_speeds(self, provider: Provider) -> None:
        if provider.speeds is None:
            del self.fields["speed"]
            return
        low, high = max(provider.speeds[0], SPEEDS[0]), min(provider.speeds[1], SPEEDS[1])
        attributes = {"type": "range", "min": low, "max": high, "step": 0.05}
        self.fields["speed"] = forms.FloatField(
            min_value=low, max_value=high, initial=1, required=False,
            widget=forms.NumberInput(attrs=attributes),
        )  # fmt: skip


def _named(voice: str, name: str) -> str:
    return voice if voice == name else f"{name} ({voice})"


def phrases() -> list[str]:
    """To pick from."""
    lines = (FOLDER / "voice_assistant.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")][:MAX_PHRASES]
