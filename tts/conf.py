"""TTSConfig: every setting of speech, with its environment name, default and unit."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Final, Self

from django.conf import ENVIRONMENT_VARIABLE, settings

from audiocache.configuring import flag, number, optional, setting, text, whole
from audiocache.wrong_settings import PartlyWrong, WrongSettings
from tts import retired
from tts.exceptions import SpeechNotConfigured
from tts.money_conf import MONEY, MoneySettings

ELEVENLABS: Final = "elevenlabs"
ESPEAK: Final = "espeak"

VENDOR_KEYS: Final = {
    ELEVENLABS: ("ELEVENLABS_API_KEY", "ELEVEN_LABS_API_KEY"),
    "openai": ("OPENAI_API_KEY",),
}
"""Environment names under which a provider's own tools keep its key, by provider."""

_HTTP: Final = ("http://", "https://")
_USER: Final = re.compile(r"[^/?#]*//[^/?#]*@")


def _options(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("must be a JSON object") from None
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a dict with str names")
    return dict(value)


def _names(value: Any) -> dict[str, str]:
    """A client's names and the provider's; an empty one is the provider's default."""
    names = _options(value)
    if not all(isinstance(name, str) for name in names.values()):
        raise ValueError("must be a dict of str to str")
    return names


def _name(value: Any) -> str | None:
    return (text(value) or None) if value is not None else None


def region_name(value: Any) -> str | None:
    """The short name of a region. Raises ValueError."""
    name = _name(value)
    # It becomes part of a host's name.
    if name is not None and not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise ValueError("must be the short name of a region, such as westeurope")
    return name


def provider_name(value: Any) -> str | None:
    """As it is compared with others. Raises ValueError."""
    name = _name(value)
    # A dotted path keeps its case.
    return name.lower() if name and "." not in name else name


def _fallbacks(value: Any) -> tuple[TTSConfig, ...]:
    """Names, dicts or configurations; in the environment names with commas between them."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise ValueError(f"must be a list, not {type(value).__name__}")
    found = [_fallback(one) for one in names]
    # Nobody in the place of a wrong one: the others keep their numbers.
    rest = tuple(TTSConfig() if isinstance(one, str) else one for one in found)
    if wrong := [f"{n} {one}" for n, one in enumerate(found, 1) if isinstance(one, str)]:
        raise PartlyWrong("; ".join(wrong), rest)
    return rest


def _fallback(given: object) -> TTSConfig | str:
    """A fallback, or what is wrong with it."""
    if isinstance(given, str):
        given = {"PROVIDER": given}
    try:
        config = TTSConfig.of_dict(given) if isinstance(given, Mapping) else given
    except WrongSettings as error:
        return ", ".join(error.problems)
    if not isinstance(config, TTSConfig):
        return f"each must be a name or a dict, not {type(given).__name__}"
    if config.provider is None or config.fallbacks:
        return "each must name its PROVIDER, and have no FALLBACKS"
    return config


def _secret(value: Any) -> str | None:
    # `text` would repeat the value in its message.
    if value is not None and not isinstance(value, str):
        raise ValueError("must be text")
    return value.strip() or None if value else None


@dataclass(frozen=True)
class TTSConfig(MoneySettings):
    """A frozen value: what is given, and defaults. `load()` reads settings and environment.

    Raises ImproperlyConfigured that names every wrong value.
    """

    prefix: ClassVar[str] = "TTS_"
    setting_name: ClassVar[str] = "TTS"

    api_key: str | None = setting(None, _secret, secret=True)
    provider: str | None = setting(None, provider_name)
    """espeak, tone, ... or a dotted path; None: see `chosen_provider`."""
    base_url: str | None = setting(None, _name)
    region: str | None = setting(None, region_name)
    """Of azure and polly, such as westeurope and eu-central-1."""
    proxy: str | None = setting(None, _secret, secret=True)
    """Address of an HTTP proxy, which may hold a password; the environment's are not used."""
    model: str | None = setting(None, _name)
    voice: str | None = setting(None, _name)
    format: str | None = setting(None, _name)
    """Audio format; None: the provider's default."""
    master: str | None = setting(None, _name)
    """What is bought, whichever format is asked for; None: `Provider.master`; none: as asked."""
    language: str | None = setting(None, _name)
    timeout: float = setting(30, number(0.1, 3600))
    """Total seconds that a caller waits for one clip."""
    max_concurrent: int | None = setting(None, optional(whole(1)))
    """Calls to the provider at once, from all processes together; None: as many as there are."""
    fallbacks: tuple[TTSConfig, ...] = setting((), _fallbacks)
    """Asked in this order when the provider cannot speak; see `with_fallback`."""
    fallback_after: float | None = setting(None, optional(number(0.1, 3600)))
    """Seconds after which a caller turns to the fallbacks; None: half of `timeout`."""
    stale_seconds: float = setting(30, number(0, 86_400))
    """After a stale clip the provider is not asked for it again for so long."""
    cache_only: bool = setting(False, flag)
    """No provider is called: what is in no tier is NotCached."""
    pay_for_each_format: bool = setting(False, flag)
    """Without PyAV, which makes formats of one another: is another format paid for again?"""
    voice_revision: str | None = setting(None, _name)
    """Changed by hand when a voice was trained anew: clips of the earlier one are left."""
    options: dict[str, Any] = setting(None, _options)  # noqa: RUF009 - a field, frozen
    """The provider's own options; each is part of the key."""
    model_names: dict[str, str] = setting(None, _names)  # noqa: RUF009 - a field, frozen
    """What clients of the HTTP API may call a model; see docs/http-api.md."""
    voice_names: dict[str, str] = setting(None, _names)  # noqa: RUF009 - a field, frozen
    """The same of voices."""
    retired_models: dict[str, date] = setting(None, retired.read)  # noqa: RUF009 - a field, frozen
    """The day from which a `provider/model` is gone; a check warns months ahead."""
    authentication: str | None = setting(None, _name)
    """Dotted path of a callable in place of API keys: from a request to a Caller, or None."""
    enabled: bool = setting(True, flag)
    quarantine_max_clips: int = setting(100, whole(0))
    """Refused answers whose bytes are kept for the admin; 0 keeps none."""
    quarantine_max_mb: float = setting(50, number(0))
    """MiB of them; 0 keeps none."""

    def __hash__(self) -> int:
        return hash((self.provider, self.base_url, self.model, self.voice, self.format))

    @classmethod
    def implied(cls, found: Mapping[str, Any]) -> dict[str, Any]:
        """The provider's key, under the name that its vendor gave it."""
        return _vendor_key(found)

    def conflicts(self) -> Iterator[str]:
        """Values that exclude each other."""
        if self.base_url and not self.base_url.startswith(_HTTP):
            yield "TTS_BASE_URL: must start with https:// or http://"
        # It is shown where the configuration is; a key is not.
        if self.base_url and _USER.match(self.base_url):
            yield "TTS_BASE_URL: must not hold a password or user; TTS_API_KEY is for keys"
        if self.fallback_after is not None and self.fallback_after >= self.timeout:
            yield "TTS_FALLBACK_AFTER: must be less than TTS_TIMEOUT"
        if self.proxy and "://" in self.proxy and not self.proxy.startswith(_HTTP):
            yield "TTS_PROXY: must start with https:// or http://"

    @classmethod
    def of_dict(cls, given: Mapping[str, Any]) -> Self:
        """From a dict as it stands in settings. Raises ImproperlyConfigured."""
        return cls.built(*cls.named(given))

    @property
    def patience(self) -> float:
        """Seconds for which a caller waits for the first provider."""
        if not self.fallbacks:
            return self.timeout
        return self.timeout / 2 if self.fallback_after is None else self.fallback_after

    def with_fallback(self, fallback: Self) -> Self:
        """A fallback's configuration, with what holds for the whole service from this one."""
        given = {"api_key": fallback.api_key} if fallback.api_key else {}
        key = _vendor_key({"provider": fallback.provider}) | given
        shared = ("timeout", "enabled", "cache_only", "stale_seconds", "pay_for_each_format")
        limits = ("quarantine_max_clips", "quarantine_max_mb")
        ours = {name: getattr(self, name) for name in (*shared, *limits, *MONEY)}
        return dataclasses.replace(fallback, **ours, **key)

    @property
    def chosen_provider(self) -> str:
        """The provider's name: elevenlabs when there is a key, espeak while DEBUG is on.

        Raises SpeechNotConfigured, which is an ImproperlyConfigured too.
        """
        name = self.provider or (ELEVENLABS if self.api_key else None)
        if name is None and not is_debug():
            raise SpeechNotConfigured(
                "TTS_PROVIDER is not set: name a provider in settings.TTS or the environment "
                "(espeak needs no key); only while DEBUG is on it is espeak by itself"
            )
        return name or ESPEAK


def is_debug() -> bool:
    """Is DEBUG on? In a test run as the settings have it: Django switches it off for the tests,
    and checks a project then.
    """
    written = sys.modules.get(os.environ.get(ENVIRONMENT_VARIABLE, ""))
    return bool(settings.DEBUG or getattr(written, "DEBUG", False))


def _vendor_key(found: Mapping[str, Any]) -> dict[str, Any]:
    """The key under the vendor's own environment name, for the provider that is chosen."""
    try:
        provider = provider_name(found.get("provider")) or ELEVENLABS
    except ValueError:  # told by its own check
        return {}
    names = VENDOR_KEYS.get(provider, ())
    keys = [key for name in names if (key := os.environ.get(name, ""))]
    return {"api_key": keys[0]} if keys else {}
