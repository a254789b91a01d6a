"""Google Cloud Text-to-Speech: `v1/text:synthesize`, whose sound comes as base64 in JSON."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from audiocache.entries import Recording
from tts import ssml
from tts.deadline import Deadline
from tts.exceptions import CutAnswer, InvalidSpeechRequest, NotAudio, ProviderError
from tts.prices import BYTES
from tts.providers import fields, google_status
from tts.providers.base import Take
from tts.providers.calls import HttpAnswer, HttpCall
from tts.providers.http import HEAD, HttpProvider
from tts.providers.locales import language_for
from tts.speech import SpeechRequest

ENCODINGS: Final = {
    "mp3": "MP3",
    "wav": "LINEAR16",
    "pcm": "PCM",
    "opus": "OGG_OPUS",
    "wav_ulaw": "MULAW",
    "wav_alaw": "ALAW",
}
"""AudioEncoding by our name; what is wav here has a WAV header there."""

MAX_EFFECTS: Final = 10
_NUMBERS: Final = {"pitch": (-20, 20), "volume_gain_db": (-96, 16)}

# The one element that is not billed.
_MARK: Final = re.compile(r"""</?mark(?=[\s/>])(?:[^>"']|"[^"]*"|'[^']*')*>""")


class GoogleProvider(HttpProvider):
    """A key of a Google Cloud project that may use the Text-to-Speech API.

    Options: pitch in semitones, -20 to 20; volume_gain_db, -96 to 16; effects, the list of
    effectsProfileId in their order. A model is sent for the voices that have several.
    """

    name = "google"
    default_base_url = "https://texttospeech.googleapis.com"
    formats = tuple(ENCODINGS)
    default_format = "mp3"
    native_format = "wav"
    max_text = 5000
    text_unit = BYTES
    default_voice = "en-US-Neural2-C"
    speeds = (0.25, 2)
    sample_rates = (24000, 8000, 16000, 22050, 32000, 44100, 48000)
    takes_ssml = True
    default_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"pitch": 0, "volume_gain_db": 0, "effects": []}
    )
    meanings = google_status.MEANINGS
    streams = False  # the sound stands in JSON

    # First step

    def complete_text(self, request: SpeechRequest) -> str:
        """Text or SSML, both within one limit of bytes."""
        text = super().complete_text(request)
        if request.ssml is True:
            ssml.read(text)
        return text

    def complete_voice(self, request: SpeechRequest) -> tuple[str | None, str | None]:
        """Voice and language; the language is the voice's own unless it is given."""
        voice, wished = super().complete_voice(request)
        language = language_for(voice or "", wished)
        if language is None:
            raise InvalidSpeechRequest("language", "must be given: the voice's name has none")
        return voice, language

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """Every option within what Google takes."""
        chosen = super().complete_options(request)
        numbers = {
            name: fields.number(f"options.{name}", chosen[name], *limits)
            for name, limits in _NUMBERS.items()
        }
        return numbers | {"effects": _effects(chosen["effects"])}

    def call(self, request: SpeechRequest) -> HttpCall:
        """All of the voice and of the audio; the key in a header, as an address is logged."""
        voice = {"languageCode": request.language, "name": request.voice}
        return HttpCall(
            url=f"{self.base_url}/v1/text:synthesize",
            headers={"X-Goog-Api-Key": self.config.api_key or ""},
            json={
                "input": {"ssml" if request.ssml else "text": request.text},
                "voice": voice | ({"modelName": request.model} if request.model else {}),
                "audioConfig": _audio_config(request),
            },
        )

    def max_answer(self, request: SpeechRequest) -> int:
        """Four characters of base64 for three bytes."""
        return super().max_answer(request) * 4 // 3 + HEAD

    # Second step

    def send(
        self, call: HttpCall, deadline: Deadline, limit: int, take: Take | None = None
    ) -> HttpAnswer:
        """See HttpProvider. A part of a document of JSON is no sound to be kept."""
        try:
            return super().send(call, deadline, limit, take)
        except CutAnswer as error:
            error.recording = None
            raise

    # Third step

    def recording(self, answer: HttpAnswer, request: SpeechRequest) -> Recording:
        """The sound of `audioContent`. Raises NotAudio where there is none."""
        found = answer.json()
        content = found.get("audioContent") if isinstance(found, dict) else None
        try:
            audio = b64decode(content, validate=True) if isinstance(content, str) else None
        except (binascii.Error, ValueError):
            audio = None
        if audio is None:
            raise self.error(NotAudio, "the answer has no audioContent that can be read", answer)
        return Recording(audio=audio, billed_units=self.billed(answer, request))

    def units(self, request: SpeechRequest) -> int:
        """Characters, tags too: an estimate, as no answer says."""
        return len(_MARK.sub("", request.text) if request.ssml else request.text)

    # What errors mean

    def meaning(self, answer: HttpAnswer) -> ProviderError:
        """With the time to wait that stands in the body."""
        error = super().meaning(answer)
        if error.retry_after is None:
            error.retry_after = google_status.retry_delay(answer.json())
        return error

    def error_words(self, body: dict[str, Any]) -> Iterable[str]:
        """What the details say, then the status."""
        return google_status.words(body)


def _effects(value: object) -> list[str]:
    given = value if isinstance(value, list | tuple) else [None]
    names = [name for item in given if (name := fields.word("options.effects", item))]
    if len(names) != len(given) or len(names) > MAX_EFFECTS:
        raise InvalidSpeechRequest(
            "options.effects", f"must be a list of at most {MAX_EFFECTS} names"
        )
    return names


def _audio_config(request: SpeechRequest) -> dict[str, Any]:
    return {
        "audioEncoding": ENCODINGS[request.audio_format or ""],
        "speakingRate": request.speed,
        "pitch": request.options["pitch"],
        "volumeGainDb": request.options["volume_gain_db"],
        "sampleRateHertz": request.sample_rate,
        "effectsProfileId": request.options["effects"],
    }
