"""Models that their provider will switch off: TTS_RETIRED_MODELS, and who is told how early."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004
from django.core.exceptions import ImproperlyConfigured

AHEAD: Final = timedelta(days=180)
"""So long before is a warning due: clips are made again, and voices chosen, in peace."""
HINT: Final = (
    "manage.py audiocache inventory says what is stored of it; "
    "audiocache pin --provider {} --model {} keeps that."
)

Retired = Mapping[str, date]
"""By `provider/model`."""


def read(value: Any) -> dict[str, date]:
    """A dict of `provider/model` and ISO dates, in the environment JSON. Raises ValueError."""
    if value is None:
        return {}
    try:
        given = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a JSON object") from None
    if not isinstance(given, Mapping):
        raise ValueError("must be a dict of 'provider/model' and dates")
    return {_name(name): _date(name, day) for name, day in given.items()}


def dates() -> dict[tuple[str, str], date]:
    """By provider and model; nothing while the settings are wrong, which a check reports."""
    from tts.conf import TTSConfig

    try:
        retired = TTSConfig.load().retired_models
    except ImproperlyConfigured:
        return {}
    return {_parts(name): day for name, day in retired.items()}


@register("tts")
def check_soon(**_: Any) -> list[CheckMessage]:
    """tts.W010: a model is gone within AHEAD, or is gone."""
    return [_soon(parts, day) for parts, day in _due()]


@register("tts", deploy=True)
def check_gone(**_: Any) -> list[CheckMessage]:
    """tts.E010, at a deployment alone: an error at each start would stop a site on that day."""
    today = _today()
    return [
        Error(f"{'/'.join(parts)} is gone since {day}.", hint=HINT.format(*parts), id="tts.E010")
        for parts, day in _due()
        if day <= today
    ]


def _soon(parts: tuple[str, str], day: date) -> CheckMessage:
    left = (day - _today()).days
    when = f"in {left} days, on {day}" if left > 0 else f"since {day}"
    said = f"{'/'.join(parts)} is gone {when}: what is not stored can no longer be made."
    return Warning(said, hint=HINT.format(*parts), id="tts.W010")


def _due() -> Iterator[tuple[tuple[str, str], date]]:
    until = _today() + AHEAD
    yield from (one for one in dates().items() if one[1] <= until)


def _today() -> date:
    return datetime.now(UTC).date()


def _parts(name: str) -> tuple[str, str]:
    provider, _, model = name.partition("/")
    return provider, model


def _name(name: object) -> str:
    if not isinstance(name, str) or not all(_parts(name)):
        raise ValueError(f"{name!r} must be 'provider/model'")
    return name


def _date(name: object, day: object) -> date:
    if isinstance(day, date):
        return day
    try:
        return date.fromisoformat(str(day))
    except ValueError:
        raise ValueError(f"{name}: must be a date such as 2027-03-01, not {day!r}") from None
