"""Azure keeps the contract, and whatever the text, what arrives is XML."""

from __future__ import annotations

from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from audiocache.keys import normalize_text
from tests.tts.providers.contract import SENTENCE
from tests.tts.providers.paid import PaidContract
from tests.tts.vendors import azure as vendor
from tests.tts.vendors.azure import LANG, MSTTS, SSML
from tests.tts.vendors.server import Server
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import (
    InvalidSpeechRequest,
    ProviderDown,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers import azure_ssml
from tts.providers.azure import AzureProvider
from tts.providers.base import Provider
from tts.speech import SpeechRequest

DOCUMENT = (
    "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='en-US'>"
    "<voice name='en-US-JennyNeural'>Good <break time='200ms'/>morning.</voice></speak>"
)
BILLED = (
    '<!--ID=1;Version=1--><speak version="1.0" xml:lang="en-US">\n'
    + '<voice name="en-US-AvaNeural"><prosody rate="-10.00%">about </prosody></voice>\n' * 12
    + "</speak>"
)
"""A document whose bill was published: 480 characters."""


class TestAzureProvider(PaidContract):
    provider_class = AzureProvider
    vendor: ClassVar = vendor
    ssml = DOCUMENT
    options: ClassVar = {
        "style": ({}, {"options": {"style": "cheerful"}}),
        "style_degree": (
            {"options": {"style": "sad"}},
            {"options": {"style": "sad", "style_degree": 1.5}},
        ),
        "role": ({}, {"options": {"role": "Girl"}}),
        "pitch": ({}, {"options": {"pitch": 10}}),
        "volume": ({}, {"options": {"volume": 60}}),
        "effect": ({}, {"options": {"effect": "eq_telecomhp8k"}}),
        "speed": ({}, {"speed": 1.25}),
        "voice": ({}, {"voice": "de-DE-KatjaNeural"}),
        "language": ({}, {"language": "de-DE"}),
    }
    errors: ClassVar = [
        (vendor.QUOTA, QuotaSpent),
        (vendor.BUSY, RateLimited),
        (vendor.refusal(400, SENTENCE.encode()), RequestRefused),
        (vendor.refusal(401, b"Something"), WrongKey),
        (vendor.refusal(403, b"Something"), WrongKey),
        (vendor.refusal(415, b"Something"), RequestRefused),
        (vendor.refusal(429, b"Something"), RateLimited),
        (vendor.refusal(500, b"Something"), ProviderDown),
        (vendor.refusal(502, b"Something"), ProviderDown),
        (vendor.refusal(503, b"Something"), ProviderDown),
    ]

    def test_at_its_defaults_nothing_but_the_voice_is_said(
        self, provider: Provider, server: Server
    ) -> None:
        recording = self.speak(provider, self.request(provider))
        [heard] = server.heard
        assert (heard.method, heard.path) == ("POST", "/cognitiveservices/v1")
        assert heard.headers["x-microsoft-outputformat"] == "audio-24khz-96kbitrate-mono-mp3"
        speak = ET.fromstring(heard.body)
        assert [element.tag for element in speak.iter()] == [f"{SSML}speak", f"{SSML}voice"]
        assert speak.get(LANG) == "en-US"
        # Further elements would be billed.
        assert recording.billed_units == len(SENTENCE)

    def test_all_that_is_asked_for_is_said(self, provider: Provider, server: Server) -> None:
        options = {
            "style": "chat",
            "style_degree": 0.5,
            "role": "Boy",
            "pitch": -10,
            "volume": 80,
            "effect": "eq_car",
        }
        request = self.request(provider, speed=1.5, language="fr-FR", options=options)
        recording = self.speak(provider, request)
        speak = ET.fromstring(server.heard[0].body)
        [voice] = speak
        [language] = voice
        [express] = language
        [prosody] = express
        assert voice.attrib == {"name": "en-US-JennyNeural", "effect": "eq_car"}
        assert (language.tag, language.attrib) == (f"{SSML}lang", {LANG: "fr-FR"})
        assert express.tag == f"{MSTTS}express-as"
        assert express.attrib == {"style": "chat", "styledegree": "0.5", "role": "Boy"}
        assert (prosody.tag, prosody.text) == (f"{SSML}prosody", SENTENCE)
        assert prosody.attrib == {"rate": "1.5", "pitch": "-10%", "volume": "80"}
        assert (recording.billed_units or 0) > len(SENTENCE) + 100

    @pytest.mark.parametrize(
        "text",
        [
            """& < > " ' &amp; ]]> <!-- <speak> </voice> &#0;""",
            "👋🏽 👩‍👩‍👧 𝄞 漢字 ﷽ \u200d\ufeff",
            "bell\x07 vertical\x0b form\x0c escape\x1b unit\x1f non\ufffe character\uffff",
            "line\nline\r\nline\rline\x85line\u2028line",
            "<prosody rate='x'>not SSML</prosody>",
        ],
    )
    def test_any_text_arrives_as_it_was_sent(
        self, provider: Provider, server: Server, text: str
    ) -> None:
        self.check_arrival(provider, server, text)

    def test_whatever_is_said_arrives_as_xml(self, provider: Provider, server: Server) -> None:
        characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
        nasty = st.sampled_from([*"&<>\"'\r\n\t\x01\x1f\x7f\x85\ufffe\uffff\u0338", "]]>", "👋"])
        texts = st.lists(nasty | st.text(characters), max_size=8).map("".join)

        @given(texts)
        def arrives(text: str) -> None:
            self.check_arrival(provider, server, f"a {text}")

        arrives()
        assert len(server.heard) > 50

    def check_arrival(self, provider: Provider, server: Server, text: str) -> None:
        """What a parser reads is the text of the request, which is the text of the key."""
        server.next.append(vendor.refusal(400, b""))
        request = self.request(provider, text=text)
        with pytest.raises(RequestRefused):
            provider.synthesize(request.spoken(), Deadline.after(20))
        assert vendor.spoken(server.heard[-1]) == normalize_text(request.text)
        assert self.request(provider, text=request.text).key == request.key

    def test_controls_are_spaces_also_in_the_key(self, provider: Provider) -> None:
        keys = {self.request(provider, text=text).key for text in ("a\x01b", "a\x02b", "a b")}
        assert len(keys) == 1
        assert self.refuse(provider, text="\x01\x02").field == "text"

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"voice": "en-US-JennyNeural"}, "voice"),
            ({"language": "en-US"}, "language"),
            ({"speed": 1.5}, "speed"),
            ({"options": {"style": "sad"}}, "options"),
            ({"text": "<speak>No voice is named.</speak>"}, "text"),
            ({"text": f"<speak><voice>{'e' * 5001}</voice></speak>"}, "text"),
            ({"text": f"<speak><voice>{'<p/>' * 5000}e</voice></speak>"}, "text"),
        ],
    )
    def test_ssml_says_all_by_itself(
        self, provider: Provider, fields: dict[str, Any], field: str
    ) -> None:
        assert self.refuse(provider, ssml=True, **fields).field == field

    def test_settings_of_the_voice_are_not_for_ssml(self, provider: Provider) -> None:
        config = TTSConfig(
            api_key="k", region="westus", voice="de-DE-KatjaNeural", options={"style": "sad"}
        )
        given = self.request(AzureProvider(config), ssml=True)
        assert (given.voice, given.language, given.options["style"]) == (None, None, None)
        assert given.key == self.request(provider, ssml=True).key

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"model": "tts-1"}, "model"),
            ({"voice": "MyOwnVoice"}, "language"),
            ({"options": {"pitch": 51}}, "options.pitch"),
            ({"options": {"pitch": "high"}}, "options.pitch"),
            ({"options": {"volume": 0}}, "options.volume"),
            ({"options": {"style": 7}}, "options.style"),
            ({"options": {"style": "sad", "style_degree": 3}}, "options.style_degree"),
            ({"options": {"style_degree": 2}}, "options.style_degree"),
            ({"audio_format": "wav_8000_mulaw"}, "audio_format"),
            # Ten minutes are over sooner when it speaks slowly, or Chinese.
            ({"text": "e" * 3001, "speed": 0.5}, "text"),
            ({"text": "漢" * 2401}, "text"),
        ],
    )
    def test_a_wrong_field_of_azure_is_named(
        self, provider: Provider, fields: dict[str, Any], field: str
    ) -> None:
        assert self.refuse(provider, **fields).field == field

    @pytest.mark.parametrize(
        ("voice", "language", "said"),
        [
            ("de-DE-KatjaNeural", None, "de-DE"),
            ("de-DE-KatjaNeural", "de", "de-DE"),
            ("de-DE-KatjaNeural", "de-AT", "de-AT"),
            ("sr-Latn-RS-NicholasNeural", None, "sr-Latn-RS"),
            ("en-US-Ava:DragonHDLatestNeural", None, "en-US"),
            ("MyOwnVoice", "pt-BR", "pt-BR"),
        ],
    )
    def test_the_language_is_the_voices_own(
        self, provider: Provider, voice: str, language: str | None, said: str
    ) -> None:
        request = self.request(provider, voice=voice, language=language)
        assert request.language == said
        asked = f'<lang xml:lang="{said}">' in azure_ssml.document(request)
        assert asked == (said == "de-AT")

    @pytest.mark.parametrize("codec", ["mp3", "wav", "pcm", "opus", "ulaw", "alaw"])
    def test_a_codec_alone_is_its_first_format(self, provider: Provider, codec: str) -> None:
        given = self.request(provider, audio_format=codec)
        first = next(name for name in provider.formats if name.startswith(codec))
        assert given.key == self.request(provider, audio_format=first).key

    def test_the_address_is_that_of_the_region(self) -> None:
        provider = AzureProvider(TTSConfig(api_key="k", region="westeurope"))
        call = provider.call(provider.complete(SpeechRequest("Hello")).spoken())
        assert call.url == "https://westeurope.tts.speech.microsoft.com/cognitiveservices/v1"

    @pytest.mark.parametrize("region", ["evil.example/", "a.b", "West Europe", "x" * 41])
    def test_a_region_is_one_word(self, region: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="TTS_REGION"):
            TTSConfig(region=region)

    def test_without_region_or_key_it_says_which_setting(self) -> None:
        with pytest.raises(SpeechNotConfigured, match="TTS_REGION"):
            AzureProvider(TTSConfig(api_key="k"))
        with pytest.raises(SpeechNotConfigured, match="TTS_API_KEY"):
            AzureProvider(TTSConfig(region="westus"))


@pytest.mark.parametrize(
    ("text", "ssml", "billed"),
    [
        ("a & b", False, 5),
        ("漢字 and kana かな", False, 16),
        ("한국어", False, 3),
        ("<speak a='>'><voice name='v>'>Hi</voice >\n</speak>", True, 2),
        ("<speak><!-- no --><voice>Hi<break/></voice> <voice>ya</voice></speak>", True, 12),
        ("<speak><voicemail>a</voicemail><voice>Hi</voice></speak>", True, 2),
        (BILLED, True, 480),
    ],
)
def test_what_azure_bills(text: str, ssml: bool, billed: int) -> None:
    provider = AzureProvider(TTSConfig(api_key="k", region="westus"))
    request = provider.complete(SpeechRequest("x")).completed(text=text, ssml=ssml)
    assert azure_ssml.billed(request) == billed


@given(st.text())
def test_completing_raises_nothing_but_its_refusal(text: str) -> None:
    provider = AzureProvider(TTSConfig(api_key="k", region="westus"))
    for ssml in (False, True):
        try:
            request = provider.complete(SpeechRequest(text, ssml=ssml))
        except InvalidSpeechRequest:
            continue
        ET.fromstring(azure_ssml.document(request.spoken()))
