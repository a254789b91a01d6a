"""Amazon Polly: `POST /v1/speech`, signed with the signer of botocore."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, ClassVar, Final

from tts import ssml
from tts.building import built
from tts.exceptions import InvalidSpeechRequest, ProviderError
from tts.providers import aws, fields
from tts.providers.calls import HttpAnswer, HttpCall
from tts.providers.http import words_in
from tts.providers.markup import MarkupProvider
from tts.speech import SpeechRequest

MAX_LEXICONS: Final = 5

FORMATS: Final = {
    **{f"mp3_{rate}": ("mp3", rate) for rate in (24000, 8000, 16000, 22050, 44100, 48000)},
    **{
        f"vorbis_{rate}": ("ogg_vorbis", rate) for rate in (24000, 8000, 16000, 22050, 44100, 48000)
    },
    "opus_48000": ("ogg_opus", 48000),
    "pcm_16000": ("pcm", 16000),
    "pcm_8000": ("pcm", 8000),
    "ulaw_8000": ("mulaw", 8000),
    "alaw_8000": ("alaw", 8000),
}
"""OutputFormat and SampleRate (Hz) by our name."""

NEEDED: Final = ("botocore", "requests")
_LEXICON: Final = re.compile(r"[0-9A-Za-z]{1,20}")


class PollyProvider(MarkupProvider):
    """The model is Polly's engine. TTS_API_KEY is `id:secret` or `id:secret:session token`;
    without it the credentials are those that every AWS tool finds.

    There is no master without loss: its PCM ends at 16 kHz, so renditions come from the mp3.
    """

    name = "polly"
    extra = (next((name for name in NEEDED if find_spec(name) is None), NEEDED[0]), "polly")
    formats = tuple(FORMATS)
    default_format = "mp3_24000"
    native_format = "mp3_24000"
    max_text = 3000
    max_document = 6000
    default_voice = "Joanna"
    default_model = "neural"
    speeds = (0.2, 2)
    default_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"lexicons": []})
    billed_header = "x-amzn-RequestCharacters"
    request_id_header = "x-amzn-RequestId"
    meanings = aws.MEANINGS

    def check_access(self) -> None:
        """The form of the key, and a region; credentials are looked for when they are needed."""
        self._access.check()

    @built
    def _access(self) -> aws.AwsAccess:
        return aws.AwsAccess(self.name, self.config.api_key, self.config.region)

    @property
    def base_url(self) -> str:
        """Of the region, unless TTS_BASE_URL names another."""
        return (self.config.base_url or self._access.address).rstrip("/")

    def models(self) -> list[str]:
        """The engines."""
        return ["standard", "neural", "long-form", "generative"]

    # First step

    def complete_speed(self, request: SpeechRequest) -> float:
        """Whole percents: no finer ones are sent."""
        return fields.number("speed", round(super().complete_speed(request), 2), *self.speeds)

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """The names of lexicons; what stands in them is no part of the key."""
        return {"lexicons": _lexicons(super().complete_options(request)["lexicons"])}

    def call(self, request: SpeechRequest) -> HttpCall:
        """Signed as it is sent: so the body is made here."""
        body = json.dumps(_body(request), ensure_ascii=False).encode()
        url = f"{self.base_url}/v1/speech"
        headers = self._access.signed("POST", url, body, {"Content-Type": "application/json"})
        return HttpCall(url=url, headers=headers, data=body)

    # What errors mean

    def meaning(self, answer: HttpAnswer) -> ProviderError:
        """The kind stands in a header, as `ThrottlingException:` and an address."""
        kind = answer.headers.get("x-amzn-ErrorType", "").partition(":")[0]
        if kind in self.meanings:
            told = self.kind(self.meanings[kind], answer)
            return self.error(told, f"HTTP {answer.status}, {kind}", answer)
        return super().meaning(answer)

    def error_words(self, body: dict[str, Any]) -> list[str]:
        """Else in the body, behind the name of the service."""
        return [word.rpartition("#")[2] for word in words_in(body.get("__type"), body.get("code"))]


def _lexicons(value: object) -> list[str]:
    names = value if isinstance(value, list | tuple) else [None]
    if len(names) > MAX_LEXICONS or not all(
        isinstance(name, str) and _LEXICON.fullmatch(name) for name in names
    ):
        raise InvalidSpeechRequest(
            "options.lexicons", f"must be a list of at most {MAX_LEXICONS} names of lexicons"
        )
    return list(names)


def _body(request: SpeechRequest) -> dict[str, Any]:
    """SynthesizeSpeech. It has no field for the speed, only SSML has."""
    text, is_ssml = request.text, request.ssml
    if request.speed != 1:
        rate = {"rate": f"{round((request.speed or 1) * 100)}%"}
        text = ssml.element("prosody", ssml.escaped(text), rate)
        text, is_ssml = ssml.element("speak", text, {}), True
    codec, rate_hz = FORMATS[request.audio_format or ""]
    language = {"LanguageCode": request.language} if request.language else {}
    return language | {
        "Engine": request.model,
        "LexiconNames": request.options["lexicons"],
        "OutputFormat": codec,
        "SampleRate": str(rate_hz),
        "Text": text,
        "TextType": "ssml" if is_ssml else "text",
        "VoiceId": request.voice,
    }
