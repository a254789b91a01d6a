"""Settings of speech: who wins, what is refused, which provider is the default."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tts.conf import TTSConfig
from tts.exceptions import SpeechNotConfigured


@pytest.fixture(autouse=True)
def _nothing_set(settings: Any) -> None:
    settings.TTS = {}
    settings.DEBUG = False


def test_code_beats_settings_beat_the_environment(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTS_VOICE", "from environment")
    monkeypatch.setenv("TTS_MODEL", "from environment")
    monkeypatch.setenv("TTS_LANGUAGE", "from environment")
    settings.TTS = {"VOICE": "from settings", "MODEL": "from settings"}
    config = TTSConfig.load(voice="from code")
    assert (config.voice, config.model, config.language) == (
        "from code",
        "from settings",
        "from environment",
    )


def test_a_value_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_VOICE", "nova")
    assert TTSConfig().voice is None
    assert TTSConfig.from_env().voice == "nova"


@pytest.mark.parametrize(
    ("given", "debug", "provider"),
    [
        ({"api_key": "k"}, False, "elevenlabs"),
        ({"api_key": "k"}, True, "elevenlabs"),
        ({"api_key": "k", "provider": "openai"}, False, "openai"),
        ({}, True, "espeak"),
        ({"provider": "Tone"}, False, "tone"),
        ({"provider": "mysite.Speech"}, False, "mysite.Speech"),
    ],
)
def test_the_default_provider(
    settings: Any, given: dict[str, str], debug: bool, provider: str
) -> None:
    settings.DEBUG = debug
    assert TTSConfig(**given).chosen_provider == provider  # type: ignore[arg-type]


def test_without_debug_and_without_a_key_a_provider_must_be_named() -> None:
    with pytest.raises(SpeechNotConfigured, match="TTS_PROVIDER"):
        _ = TTSConfig().chosen_provider
    assert issubclass(SpeechNotConfigured, ImproperlyConfigured)


@pytest.mark.parametrize("name", ["ELEVENLABS_API_KEY", "ELEVEN_LABS_API_KEY"])
def test_an_elevenlabs_key_means_elevenlabs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "their key")
    for config in (TTSConfig.load(), TTSConfig.from_env()):
        assert (config.chosen_provider, config.api_key) == ("elevenlabs", "their key")


def test_an_openai_key_counts_only_for_openai(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "their key")
    assert TTSConfig.load().api_key is None
    for name in ("openai", "OpenAI", " openai "):
        settings.TTS = {"PROVIDER": name}
        assert TTSConfig.load().api_key == "their key"


def test_a_vendors_key_is_not_handed_to_another_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", "their key")
    assert TTSConfig.load(provider="openai").api_key is None


def test_our_own_name_of_the_key_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELEVENLABS_API_KEY", "theirs")
    monkeypatch.setenv("TTS_API_KEY", "ours")
    assert TTSConfig.load().api_key == "ours"


def test_options_come_as_json_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_OPTIONS", '{"pitch": 60}')
    assert TTSConfig.load().options == {"pitch": 60}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"timeout": 0}, "TTS_TIMEOUT"),
        ({"timeout": "soon"}, "TTS_TIMEOUT"),
        ({"timeout": float("nan")}, "TTS_TIMEOUT"),
        ({"options": "{"}, "TTS_OPTIONS"),
        ({"options": [1]}, "TTS_OPTIONS"),
        ({"options": {1: 2}}, "TTS_OPTIONS"),
        ({"voice": 7}, "TTS_VOICE"),
        ({"provider": 7}, "TTS_PROVIDER"),
        ({"enabled": "perhaps"}, "TTS_ENABLED"),
        ({"api_key": 7}, "TTS_API_KEY"),
        ({"base_url": "ftp://server"}, "TTS_BASE_URL"),
        ({"base_url": "https://user:hidden@server/v1"}, "TTS_BASE_URL: must not hold a password"),
        ({"proxy": "socks5://user:password@server"}, "TTS_PROXY"),
    ],
)
def test_a_wrong_value_is_named(given: dict[str, Any], name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        TTSConfig(**given)


def test_all_wrong_values_are_named_together() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TTS_VOICE.*TTS_TIMEOUT"):
        TTSConfig(timeout=-1, voice=7)  # type: ignore[arg-type]


def test_an_unknown_setting_is_named_with_the_nearest(settings: Any) -> None:
    settings.TTS = {"VOICES": "nova"}
    with pytest.raises(ImproperlyConfigured, match=r"VOICES.*'VOICE'"):
        TTSConfig.load()


def test_a_password_in_an_address_is_not_shown_by_its_refusal() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        TTSConfig(base_url="https://user:hidden@server/v1")
    assert "hidden" not in str(caught.value)
    assert TTSConfig(base_url="https://server/v1/@me?to=a@b").base_url


def test_the_key_is_never_shown() -> None:
    config = TTSConfig(api_key="sk-secret")
    assert "sk-secret" not in repr(config) + str(config.masked())
    with pytest.raises(ImproperlyConfigured) as caught:
        TTSConfig(api_key=["sk-secret"])  # type: ignore[arg-type]
    assert "sk-secret" not in str(caught.value)


def test_blank_is_not_set() -> None:
    config = TTSConfig(api_key=" ", voice="", options=None)  # type: ignore[arg-type]
    assert (config.api_key, config.voice, config.options) == (None, None, {})
    assert hash(config) == hash(TTSConfig())


def test_fallbacks_are_names_dicts_or_a_list_in_the_environment(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTS_FALLBACKS", "OpenAI, mysite.Speech")
    assert [one.provider for one in TTSConfig.load().fallbacks] == ["openai", "mysite.Speech"]
    settings.TTS = {"FALLBACKS": ["espeak", {"PROVIDER": "openai", "API_KEY": "secret"}]}
    config = TTSConfig.load()
    assert [one.provider for one in config.fallbacks] == ["espeak", "openai"]
    assert config.fallbacks[1].api_key == "secret"
    assert "secret" not in repr(config) + str(config.masked())
    assert hash(config)


def test_a_fallbacks_wrong_key_is_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        TTSConfig(fallbacks=[{"PROVIDER": "openai", "API_KEY": ["secret"]}])  # type: ignore[arg-type]
    assert "TTS_API_KEY" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_with_fallbacks_the_first_provider_has_half_of_the_time() -> None:
    espeak = (TTSConfig(provider="espeak"),)
    assert TTSConfig(timeout=10).patience == 10
    assert TTSConfig(timeout=10, fallbacks=espeak).patience == 5
    assert TTSConfig(timeout=10, fallback_after=2, fallbacks=espeak).patience == 2
