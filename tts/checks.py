"""System checks: every wrong or unwise setting of speech, by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured

from audiocache import dotted_path
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest, ProviderError, SpeechNotConfigured
from tts.providers import build_provider
from tts.providers.base import MissingExtra, Provider
from tts.renditions import AS_ASKED
from tts.rewording import reworded
from tts.speech import SpeechRequest
from tts.wrong_fields import MOST, SETTINGS, wrong_fields

SHORTEST, LONGEST = 2, 120
"""Seconds between which TTS_TIMEOUT is wise."""


@register("tts")
def check_settings(**_: Any) -> list[CheckMessage]:
    """tts.E001 to E007 and W001 to W003."""
    config, wrong = TTSConfig.judged()
    errors: list[CheckMessage] = [Error(problem, id="tts.E001") for problem in wrong.problems]
    if not config.enabled:
        return errors
    if _is_known_who_speaks(config, wrong.doubtful):
        errors += wrong.certain(_check_provider(config))
        errors += _check_fallbacks(config)
    return [*errors, *wrong.certain(_check_timeout(config)), *_check_authentication(config)]


def _is_known_who_speaks(config: TTSConfig, doubtful: frozenset[str]) -> bool:
    """A key chooses the provider where none is named."""
    return "TTS_PROVIDER" not in doubtful and not (
        config.provider is None and "TTS_API_KEY" in doubtful
    )


def _check_provider(config: TTSConfig) -> Iterator[CheckMessage]:
    # Asks for no key; fallbacks have messages of their own.
    silent = dataclasses.replace(config, cache_only=True, fallbacks=())
    try:
        provider = build_provider(silent)
    except SpeechNotConfigured as error:
        yield Error(str(error), id="tts.E002")
    except MissingExtra as error:
        message, _, command = str(error).partition(": ")
        yield Error(f"{message}: {command}", hint=command, id="tts.E004")
    except ImproperlyConfigured as error:
        yield Error(str(error), id="tts.E003")
    else:
        yield from _check_access(config)
        yield from _check_fields(silent, provider)


def _check_access(config: TTSConfig) -> Iterator[CheckMessage]:
    try:
        build_provider(config)
    except SpeechNotConfigured as error:
        yield Error(str(error), id="tts.E002")
    except ImproperlyConfigured as error:
        yield Error(str(error), id="tts.E003")


def _check_fields(config: TTSConfig, provider: Provider) -> Iterator[CheckMessage]:
    try:
        for number, error in enumerate(wrong_fields(config)):
            name = SETTINGS.get(error.field, "TTS_OPTIONS")
            told = error if number < MOST else "and more is wrong than is told at once"
            yield Error(f"{name}: {told}", id="tts.E005")
    except ProviderError as error:
        yield Error(f"the provider {provider.name!r} cannot speak: {error}", id="tts.E003")
    if config.master not in {None, AS_ASKED, *provider.formats}:
        names = ", ".join((AS_ASKED, *provider.formats))
        yield Error(f"TTS_MASTER: must be one of {names}", id="tts.E007")


def _check_timeout(config: TTSConfig) -> Iterator[CheckMessage]:
    if not SHORTEST <= config.timeout <= LONGEST:
        yield Warning(
            f"TTS_TIMEOUT is {config.timeout} s, the total time a caller waits for a clip.",
            hint=f"{SHORTEST} to {LONGEST} seconds suit most providers.",
            id="tts.W001",
        )


def _check_authentication(config: TTSConfig) -> Iterator[CheckMessage]:
    try:
        found = dotted_path.named(config.authentication) if config.authentication else None
    except ImportError as error:
        yield Error(f"TTS_AUTHENTICATION: {error}", id="tts.E006")
    else:
        if found is not None and not callable(found):
            yield Error("TTS_AUTHENTICATION: must name a callable", id="tts.E006")


def _check_fallbacks(config: TTSConfig) -> Iterator[CheckMessage]:
    for number, fallback in enumerate(config.fallbacks, start=1):
        if fallback.provider is None:  # stands in the place of a wrong one
            continue
        theirs = config.with_fallback(fallback)
        wrong = list(_check_provider(theirs)) or list(_check_stand_in(config, theirs))
        for message in wrong:
            message.msg = f"TTS_FALLBACKS, {number} ({fallback.provider}): {message.msg}"
            yield message


def _check_stand_in(config: TTSConfig, theirs: TTSConfig) -> Iterator[CheckMessage]:
    """Would it ever speak, and under a name of its own? Both have to be right by themselves."""
    try:
        first, other = build_provider(config), build_provider(theirs)
        complete = first.complete(SpeechRequest("."))
        found = reworded(SpeechRequest("."), complete, first, other)
    except InvalidSpeechRequest as error:
        yield Warning(f"it can never speak: {error}", id="tts.W002")
    except ImproperlyConfigured:
        return  # of the first provider, which has a message of its own
    else:
        if found.key == complete.key and first.account == other.account:
            yield Warning("it can never speak: it asks the account that failed.", id="tts.W002")
        if found.key == complete.key and config.base_url != theirs.base_url:
            yield Warning(
                "its clips have the same keys as those of another server.",
                hint="Where the voices differ, give it a VOICE_REVISION.",
                id="tts.W003",
            )
