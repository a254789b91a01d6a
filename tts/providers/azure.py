"""Azure Speech: `cognitiveservices/v1`, which takes SSML and nothing else."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, ClassVar, Final

from tts import ssml
from tts.exceptions import InvalidSpeechRequest, ProviderError, QuotaSpent, SpeechNotConfigured
from tts.providers import azure_ssml, fields
from tts.providers.calls import HttpAnswer, HttpCall
from tts.providers.locales import language_for
from tts.providers.markup import MarkupProvider
from tts.speech import SpeechRequest

FORMATS: Final = {
    "mp3_24000_96": "audio-24khz-96kbitrate-mono-mp3",
    "mp3_24000_48": "audio-24khz-48kbitrate-mono-mp3",
    "mp3_24000_160": "audio-24khz-160kbitrate-mono-mp3",
    "mp3_16000_32": "audio-16khz-32kbitrate-mono-mp3",
    "mp3_16000_64": "audio-16khz-64kbitrate-mono-mp3",
    "mp3_16000_128": "audio-16khz-128kbitrate-mono-mp3",
    "mp3_48000_96": "audio-48khz-96kbitrate-mono-mp3",
    "mp3_48000_192": "audio-48khz-192kbitrate-mono-mp3",
    "wav_24000": "riff-24khz-16bit-mono-pcm",
    "wav_8000": "riff-8khz-16bit-mono-pcm",
    "wav_16000": "riff-16khz-16bit-mono-pcm",
    "wav_22050": "riff-22050hz-16bit-mono-pcm",
    "wav_44100": "riff-44100hz-16bit-mono-pcm",
    "wav_48000": "riff-48khz-16bit-mono-pcm",
    "wav_8000_ulaw": "riff-8khz-8bit-mono-mulaw",
    "wav_8000_alaw": "riff-8khz-8bit-mono-alaw",
    "pcm_24000": "raw-24khz-16bit-mono-pcm",
    "pcm_8000": "raw-8khz-16bit-mono-pcm",
    "pcm_16000": "raw-16khz-16bit-mono-pcm",
    "pcm_48000": "raw-48khz-16bit-mono-pcm",
    "opus_24000": "ogg-24khz-16bit-mono-opus",
    "opus_16000": "ogg-16khz-16bit-mono-opus",
    "opus_48000": "ogg-48khz-16bit-mono-opus",
    "ulaw_8000": "raw-8khz-8bit-mono-mulaw",
    "alaw_8000": "raw-8khz-8bit-mono-alaw",
}
"""X-Microsoft-OutputFormat by our name."""

_SPENT: Final = b"out of call volume quota"


class AzureProvider(MarkupProvider):
    """A resource of Azure Speech: its key, and its region or, in a sovereign cloud, its address.

    With SSML everything is said there: voice, language and options of the request are none.
    """

    name = "azure"
    formats = tuple(FORMATS)
    default_format = "mp3_24000_96"
    native_format = "wav_24000"
    max_text = 5000
    """Azure has no limit of its own but the ten minutes of sound and 64 KB of SSML."""
    max_document = 20_000
    default_voice = "en-US-JennyNeural"
    speeds = (0.5, 2)
    default_options = MappingProxyType(azure_ssml.NO_OPTIONS)
    request_id_header: ClassVar[str] = "X-RequestId"

    def check_access(self) -> None:
        """A key, and a region or an address."""
        super().check_access()
        if not (self.config.region or self.config.base_url):
            raise SpeechNotConfigured("TTS_REGION is not set: azure needs its resource's region")

    @property
    def base_url(self) -> str:
        """Of the region, unless TTS_BASE_URL names another."""
        region = f"https://{self.config.region}.tts.speech.microsoft.com"
        return (self.config.base_url or region).rstrip("/")

    # First step

    def check_document(self, document: ssml.Document) -> None:
        """Azure takes the voice from the document."""
        super().check_document(document)
        if "voice" not in document.elements:
            raise InvalidSpeechRequest("text", "must name its voice: Azure needs a <voice> in SSML")

    def complete_voice(self, request: SpeechRequest) -> tuple[str | None, str | None]:
        """Voice and language; the language is the voice's own unless it is given."""
        if request.ssml is True:
            _refuse("voice", request.voice, "SSML names it")
            _refuse("language", request.language, "SSML names it")
            return None, None
        voice, wished = super().complete_voice(request)
        language = language_for(voice or "", wished)
        if language is None:
            raise InvalidSpeechRequest("language", "must be given: the voice's name has none")
        return voice, language

    def complete_model(self, request: SpeechRequest) -> None:
        """None: a voice of Azure is its own model."""
        _refuse("model", super().complete_model(request), "a voice has one model")

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """Every option within what Azure takes; with SSML none."""
        configured = {} if request.ssml is True else self.config.options
        chosen = fields.options(request.options, configured, self.default_options)
        checked = {
            name: None if value is None else azure_ssml.check_option(name, value)
            for name, value in chosen.items()
        }
        if request.ssml is True and checked != self.default_options:
            raise InvalidSpeechRequest("options", "must be left out with SSML: say them there")
        if checked["style"] is None and checked["style_degree"] != 1:
            raise InvalidSpeechRequest("options.style_degree", "must be 1 without a style")
        return checked

    def call(self, request: SpeechRequest) -> HttpCall:
        """One document."""
        return HttpCall(
            url=f"{self.base_url}/cognitiveservices/v1",
            headers={
                "Ocp-Apim-Subscription-Key": self.config.api_key or "",
                "Content-Type": "application/ssml+xml",
                "X-Microsoft-OutputFormat": FORMATS[request.audio_format or ""],
            },
            data=azure_ssml.document(request).encode(),
        )

    # Third step

    def units(self, request: SpeechRequest) -> int:
        """Characters of the document, by Azure's rule: no answer says."""
        return azure_ssml.billed(request)

    # What errors mean

    def meaning(self, answer: HttpAnswer) -> ProviderError:
        """A free resource that has used up its month answers 403 too."""
        if answer.status in {403, 429} and _SPENT in answer.body.lower():
            return self.error(QuotaSpent, f"HTTP {answer.status}, {_SPENT.decode()}", answer)
        return super().meaning(answer)


def _refuse(field: str, value: object, reason: str) -> None:
    if value is not None:
        fields.word(field, value)
        raise InvalidSpeechRequest(field, f"must be left out: {reason}")
