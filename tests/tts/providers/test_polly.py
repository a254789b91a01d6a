"""Polly keeps the contract, and every call is signed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import pytest
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from tests.tts.providers.contract import SENTENCE
from tests.tts.providers.paid import PaidContract
from tests.tts.vendors import polly as vendor
from tests.tts.vendors.server import Reply, Server
from tts.checks import check_settings
from tts.conf import TTSConfig
from tts.exceptions import (
    ProviderDown,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers.aws import AwsAccess
from tts.providers.base import Provider
from tts.providers.polly import PollyProvider
from tts.service import TTSService
from tts.speech import SpeechRequest


@pytest.fixture(autouse=True)
def _no_aws_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class TestPollyProvider(PaidContract):
    provider_class = PollyProvider
    config: ClassVar = {"region": vendor.REGION}
    vendor: ClassVar = vendor
    ssml = "<speak>Good <break time='200ms'/>morning.</speak>"
    options: ClassVar = {
        "lexicons": ({}, {"options": {"lexicons": ["stations"]}}),
        "order of lexicons": (
            {"options": {"lexicons": ["a", "b"]}},
            {"options": {"lexicons": ["b", "a"]}},
        ),
        "speed": ({}, {"speed": 1.25}),
        "voice": ({}, {"voice": "Matthew"}),
        "model": ({}, {"model": "generative"}),
        "language": ({"voice": "Aditi"}, {"voice": "Aditi", "language": "hi-IN"}),
    }
    same: ClassVar = [
        ({"speed": 0.91}, {"speed": 1 / 1.1}),
        ({"speed": 0.91}, {"speed": 0.9085}),
        ({}, {"speed": 1.001}),
    ]
    errors: ClassVar = [
        (vendor.QUOTA, QuotaSpent),
        (vendor.BUSY, RateLimited),
        (vendor.refusal(429, "TooManyRequestsException"), RateLimited),
        (vendor.refusal(500, "ServiceFailureException"), ProviderDown),
        (vendor.refusal(503, "ServiceUnavailableException"), ProviderDown),
        (vendor.refusal(400, "TextLengthExceededException"), RequestRefused),
        (vendor.refusal(400, "InvalidSsmlException"), RequestRefused),
        (vendor.refusal(400, "EngineNotSupportedException"), RequestRefused),
        (vendor.refusal(400, "LexiconNotFoundException"), RequestRefused),
        (vendor.refusal(400, SENTENCE), RequestRefused),
        (vendor.refusal(400, "UnrecognizedClientException"), WrongKey),
        (vendor.refusal(403, "ExpiredTokenException"), WrongKey),
        (vendor.refusal(403, "Unheard"), WrongKey),
        (Reply(400, b'{"__type": "com.amazonaws.polly#ThrottlingException"}'), RateLimited),
        (Reply(400, b'{"__type": 7, "code": ["Something"]}'), RequestRefused),
        (Reply(502, b"Something"), ProviderDown),
    ]

    def test_everything_is_said(self, provider: Provider, server: Server) -> None:
        options = {"lexicons": ["stations"]}
        self.speak(provider, self.request(provider, language="en-GB", options=options))
        [heard] = server.heard
        assert heard.json() == {
            "Engine": "neural",
            "LanguageCode": "en-GB",
            "LexiconNames": ["stations"],
            "OutputFormat": "mp3",
            "SampleRate": "24000",
            "Text": SENTENCE,
            "TextType": "text",
            "VoiceId": "Joanna",
        }

    def test_the_vendor_says_what_is_billed(self, provider: Provider) -> None:
        assert self.speak(provider, self.request(provider)).billed_units == len(SENTENCE)
        recording = self.speak(provider, self.request(provider, ssml=True))
        assert recording.billed_units == len("Good morning.")

    def test_a_speed_is_said_in_ssml_around_the_escaped_text(
        self, provider: Provider, server: Server
    ) -> None:
        text = 'Fish & <chips>\x07, "5\'" \N{FISH} \ufffe'
        self.speak(provider, self.request(provider, text=text, speed=1.1))
        body = server.heard[0].json()
        speak = ET.fromstring(body["Text"])
        prosody = speak.find("prosody")
        assert (speak.tag, body["TextType"]) == ("speak", "ssml")
        assert prosody is not None
        assert prosody.attrib == {"rate": "110%"}
        assert prosody.text == 'Fish & <chips> , "5\'" \N{FISH}'

    def test_each_call_is_signed_for_itself(self, provider: Provider, server: Server) -> None:
        for text in ("One.", "Two \N{SNOWMAN}.", "One."):
            self.speak(provider, self.request(provider, text=text))
        assert all(vendor.is_signed(heard) for heard in server.heard)
        assert len({heard.headers["authorization"] for heard in server.heard}) >= 2

    def test_a_session_token_goes_with_the_signature(
        self, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        config = TTSConfig(
            api_key=f"{vendor.KEY}:token/of=session", base_url=server.url, region=vendor.REGION
        )
        provider = PollyProvider(config)
        self.speak(provider, self.request(provider))
        [heard] = server.heard
        assert heard.headers["x-amz-security-token"] == "token/of=session"
        assert "x-amz-security-token" in heard.headers["authorization"]
        assert "token/of=session" not in caplog.text
        provider.close()

    def test_credentials_and_region_may_be_those_of_every_aws_tool(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", vendor.ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", vendor.SECRET)
        monkeypatch.setenv("AWS_DEFAULT_REGION", vendor.REGION)
        provider = PollyProvider(TTSConfig(base_url=server.url))
        self.speak(provider, self.request(provider))
        assert len(server.heard) == 1
        provider.close()

    def test_the_signer_logs_for_others(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        access = AwsAccess("polly", vendor.KEY, vendor.REGION)
        access.signed("POST", "https://localhost/", b"", {})
        assert not [record for record in caplog.records if record.name == "botocore.auth"]
        credentials = Credentials("id", "secret")
        SigV4Auth(credentials, "s3", "r").add_auth(AWSRequest("GET", "https://localhost/"))
        assert [record for record in caplog.records if record.name == "botocore.auth"]

    def test_credentials_that_cannot_be_renewed_are_a_wrong_key(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        config = "[default]\ncredential_process = false\n"
        (tmp_path / "config").write_text(config)
        access = AwsAccess("polly", None, vendor.REGION)
        with pytest.raises(WrongKey, match="could not be found or renewed") as caught:
            access.signed("POST", "https://localhost/", b"", {})
        assert caught.value.__context__ is None

    def test_without_credentials_it_says_so_before_any_call(self, server: Server) -> None:
        provider = PollyProvider(TTSConfig(base_url=server.url, region=vendor.REGION))
        with pytest.raises(WrongKey, match="credentials of AWS were not found"):
            self.speak(provider, self.request(provider))
        assert not server.heard
        provider.close()

    @pytest.mark.parametrize(
        ("region", "address"),
        [
            ("eu-central-1", "https://polly.eu-central-1.amazonaws.com/v1/speech"),
            ("cn-northwest-1", "https://polly.cn-northwest-1.amazonaws.com.cn/v1/speech"),
        ],
    )
    def test_the_address_is_that_of_the_region(self, region: str, address: str) -> None:
        provider = PollyProvider(TTSConfig(api_key=vendor.KEY, region=region))
        assert provider.call(provider.complete(SpeechRequest("Hello")).spoken()).url == address

    @pytest.mark.parametrize(
        ("given", "setting"),
        [
            ({"api_key": vendor.KEY}, "TTS_REGION"),
            ({"api_key": "secret-alone", "region": "eu-west-1"}, "TTS_API_KEY"),
            ({"api_key": "a:b:c:d", "region": "eu-west-1"}, "TTS_API_KEY"),
        ],
    )
    def test_what_is_missing_is_named_without_the_key(
        self, given: dict[str, str], setting: str
    ) -> None:
        with pytest.raises(SpeechNotConfigured, match=setting) as caught:
            PollyProvider(TTSConfig(**given))  # type: ignore[arg-type]
        assert given["api_key"] not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("AWS_PROFILE", "of-nobody"),
            ("AWS_DEFAULT_REGION", "evil.example/#"),
            ("AWS_CONFIG_FILE", __file__),
        ],
    )
    def test_what_is_wrong_with_the_configuration_of_aws_is_a_check(
        self, name: str, value: str, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.TTS = {"PROVIDER": "polly"}
        monkeypatch.setenv(name, value)
        [error] = check_settings()
        assert error.id == "tts.E002"
        assert value not in str(error.msg)
        with pytest.raises(SpeechNotConfigured, match="configuration of AWS"):
            PollyProvider(TTSConfig.load())
        service = TTSService(TTSConfig.load())
        assert not service.is_enabled()

    def test_a_wrong_profile_is_told_with_a_region_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "of-nobody")
        with pytest.raises(SpeechNotConfigured, match="gives no profile"):
            PollyProvider(TTSConfig(region=vendor.REGION))
        PollyProvider(TTSConfig(region=vendor.REGION, api_key=vendor.KEY))

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"model": "quick"}, "model"),
            ({"options": {"lexicons": "stations"}}, "options.lexicons"),
            ({"options": {"lexicons": ["a-b"]}}, "options.lexicons"),
            ({"options": {"lexicons": list("abcdef")}}, "options.lexicons"),
            ({"ssml": True, "speed": 1.5}, "speed"),
            ({"speed": 0.199}, "speed"),
            ({"ssml": True, "text": f"<speak>{'e' * 3001}</speak>"}, "text"),
            ({"ssml": True, "text": f"<speak>{'<p/>' * 1500}e</speak>"}, "text"),
            # Ten minutes are over sooner when it speaks slowly, or Chinese.
            ({"text": "e" * 3000, "speed": 0.4}, "text"),
            ({"text": "漢" * 2401}, "text"),
        ],
    )
    def test_a_wrong_field_of_polly_is_named(
        self, provider: Provider, fields: dict[str, Any], field: str
    ) -> None:
        assert self.refuse(provider, **fields).field == field

    def test_tags_are_not_counted(self, provider: Provider) -> None:
        text = f"<speak>{'e' * 2999}<break time='1s'/>.</speak>"
        self.request(provider, text=text, ssml=True)
