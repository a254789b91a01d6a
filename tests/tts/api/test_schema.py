"""What is checked is what OpenAI's own schema says, and what the document publishes."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from audiocache import MultiTierAudioCache
from tests.tts.doubles import StubProvider
from tts import format_names
from tts.access.exceptions import NoKey
from tts.api import answers, asking
from tts.api.asking import Asked, models_of, rendition
from tts.api.catalogue import voices
from tts.api.document import described
from tts.api.exceptions import UnknownModel, WrongBody
from tts.api.problems import error_object
from tts.api.schema import REQUEST, check
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest
from tts.providers import fields
from tts.providers.espeak import EspeakProvider
from tts.providers.fields import WORD
from tts.providers.openai import OpenAIProvider
from tts.service import TTSService
from tts.wav import read_wav

OPENAI = json.loads(Path(__file__).with_name("openai_schemas.json").read_text())
THEIRS = OPENAI["create_speech_request"]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(0, 5),
    st.text("aé \n", max_size=3), st.text(max_size=3),
)  # fmt: skip
voices_ = st.one_of(scalars, st.fixed_dictionaries({}, optional={"id": scalars, "x": scalars}))
bodies = st.fixed_dictionaries(
    {"model": scalars, "input": scalars, "voice": voices_},
    optional={
        "instructions": scalars,
        "response_format": st.one_of(scalars, st.sampled_from(["mp3", "pcm", "ogg"])),
        "speed": st.one_of(scalars, st.sampled_from([0.25, 4, 4.001, 0.2499])),
        "stream_format": st.one_of(scalars, st.sampled_from(["audio", "sse"])),
        "other": scalars,
    },
)


def says(schema: dict[str, Any], body: Any) -> bool:
    return jsonschema_rs.is_valid(schema, body)


def passes(body: Any) -> bool:
    try:
        check(body)
    except WrongBody:
        return False
    return True


@given(body=bodies)
def test_the_check_is_the_schema(body: dict[str, Any]) -> None:
    assert passes(body) == says(REQUEST, body)
    if passes(body):
        assert says(THEIRS, body)


def test_the_patterns_mean_what_the_checks_mean() -> None:
    """Python's, with which the schema's were written, and jsonschema's, which has other classes."""
    every = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    known = re.compile(WORD)
    ours = REQUEST["properties"]
    name, spoken = (jsonschema_rs.validator_for(ours[field]) for field in ("model", "input"))
    assert {c for c in every if name.is_valid(c)} == {c for c in every if known.fullmatch(c)}
    silent = {c for c in every if not spoken.is_valid(c)}
    assert silent == {c for c in every if c.isspace() or c == "\x00"}
    hidden = {c for c in every if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Zs"}}
    assert not any(name.is_valid(c) or name.is_valid(f"a{c}b") for c in hidden - {" "})


def test_a_voice_of_blanks_is_refused_at_once() -> None:
    """However long it is."""
    for word in (" " * 100_000, " " * 200):
        assert not passes({"model": word, "input": word, "voice": word})
        with pytest.raises(InvalidSpeechRequest):
            fields.word("voice", word)


def test_the_schema_has_openais_fields_and_limits() -> None:
    ours, theirs = REQUEST["properties"], THEIRS["properties"]
    assert set(ours) == set(theirs)
    assert REQUEST["required"] == THEIRS["required"]
    for name in ("input", "instructions", "response_format", "speed"):
        limits = {key: theirs[name][key] for key in theirs[name] if key != "description"}
        assert ours[name] | limits == ours[name]
    assert set(ours["stream_format"]["enum"]) == set(theirs["stream_format"]["enum"])


# Names


@pytest.fixture
def named(cache: MultiTierAudioCache) -> TTSService:
    config = TTSConfig(
        format="mp3", model_names={"tts-1": "", "hd": "big"}, voice_names={"nova": "bass"}
    )
    return TTSService(config, cache=cache, provider=StubProvider(config))


def asked(service: TTSService, **given: Any) -> Any:
    return Asked.of({"model": "tts-1", "voice": "nova", "input": "Hi"} | given, service).request


def test_a_sites_names_stand_for_the_providers(named: TTSService) -> None:
    assert (asked(named).model, asked(named).voice) == (None, "bass")
    assert (asked(named, model="hd").model, asked(named, voice="alto").voice) == ("big", "alto")
    assert asked(named, model="stub").model is None
    assert models_of(named) == ["tts-1", "hd"]
    listed = [voice["id"] for voice in voices(named)["voices"]]
    assert listed == ["alto", "bass", "soprano", "tenor", "nova"]


def test_a_voice_of_ones_own(named: TTSService) -> None:
    assert asked(named, voice={"id": "tenor"}).voice == "tenor"
    openai = TTSService(TTSConfig(), provider=OpenAIProvider(TTSConfig(api_key="sk")))
    assert asked(openai, voice={"id": "voice_1"}).voice == "id:voice_1"


def test_a_model_that_is_known_not_to_be_there(named: TTSService) -> None:
    class Choosy(StubProvider):
        def models(self) -> list[str]:
            return ["small", "big"]

    service = TTSService(named.config, provider=Choosy(named.config))
    assert asked(service, model="hd").model == "big"
    with pytest.raises(UnknownModel, match="small, big, tts-1, hd"):
        asked(service, model="huge")


def test_a_format_that_the_provider_does_not_send_is_made(named: TTSService) -> None:
    assert [rendition(named, name) for name in ("mp3", "wav")] == ["mp3", "wav"]
    assert [rendition(named, name) for name in ("flac", "opus")] == ["flac", "opus"]


def test_without_a_maker_it_is_refused(named: TTSService, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (asking, format_names):
        monkeypatch.setattr(module, "is_made_here", lambda name: False)
    with pytest.raises(WrongBody, match="wav, pcm, mp3") as caught:
        rendition(named, "flac")
    assert caught.value.param == "response_format"
    assert rendition(named, "pcm") == "pcm"


def test_samples_have_openais_rate(named: TTSService, cache: MultiTierAudioCache) -> None:
    """The stub's are of 8 kHz."""
    assert rendition(named, "pcm") == "pcm_24000"
    config = TTSConfig(api_key="sk")
    assert rendition(TTSService(config, provider=OpenAIProvider(config)), "pcm") == "pcm"
    espeak = TTSService(config, cache=cache, provider=EspeakProvider(config))
    assert rendition(espeak, "pcm") == "pcm_24000"
    wav = espeak.synthesize_text_sync("Hello", audio_format="wav")
    samples = espeak.synthesize_text_sync("Hello", audio_format="pcm_24000")
    seconds = len(read_wav(wav).data) / 2 / 22_050
    assert abs(len(samples) / 2 / 24_000 - seconds) < 0.01


def test_a_format_of_the_providers_own_words(cache: MultiTierAudioCache) -> None:
    class Detailed(StubProvider):
        formats = ("mp3_44100_128", "pcm_16000", "pcm_24000")

    config = TTSConfig(format="mp3_44100_192")
    service = TTSService(config, cache=cache, provider=Detailed(config))
    assert rendition(service, "mp3") == "mp3_44100_192"
    assert rendition(service, "pcm") == "pcm_24000"


# The document


def test_events_are_as_the_document_says() -> None:
    told = described()["components"]["schemas"]["SpeechEvent"]
    events = [answers._delta(b"sound"), answers._done(5), answers._event(error_object(NoKey("no")))]
    for event in events:
        data = event.decode().removeprefix("data: ").rstrip("\n")
        assert says(told, {"data": data})
        assert says(told["properties"]["data"]["contentSchema"], json.loads(data))
    other = {"type": "speech.audio.other", "audio": ""}
    assert not says(told["properties"]["data"]["contentSchema"], other)


def test_the_document_and_its_page(client: Client) -> None:
    document = client.get("/v1/openapi.json").json()
    assert set(document["paths"]) == {"/v1/audio/speech", "/v1/audio/voices", "/v1/models"}
    errors = document["paths"]["/v1/audio/speech"]["post"]["responses"]
    assert {"200", "400", "401", "403", "404", "405", "413", "415", "429", "503"} <= set(errors)
    page = client.get("/v1/docs")
    text = page.content.decode()
    assert page["Content-Security-Policy"].startswith("default-src 'none'")
    assert "http://testserver/v1/audio/speech" in text
    for field in REQUEST["properties"]:
        assert f"<code>{field}</code>" in text
    assert "<script" not in text
    assert text.count("://") == 1  # our own address
