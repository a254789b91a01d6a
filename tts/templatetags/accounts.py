"""Numbers of the accounts for people, in their language."""

from __future__ import annotations

from typing import Final

from django import template
from django.utils import formats

from audiocache.clock import utc
from tts.budget import USD

register = template.Library()

NOTHING: Final = "-"
TENTH_OF_A_CENT: Final = 0.001
CENTS_UP_TO: Final = 10_000
"""USD; beyond, nobody reads cents."""


@register.filter
def money(amount: float) -> str:
    """Millionths of a USD, as exact as is of use."""
    dollars = amount / USD
    return f"${_number(dollars, _places(dollars))}"


@register.filter
def count(number: int | None) -> str:
    """A whole number with its thousands apart."""
    return NOTHING if number is None else _number(number, 0)


@register.filter
def share(part: float | None) -> str:
    """Of 1, in percent."""
    return NOTHING if part is None else f"{_number(100 * part, 0 if part in {0, 0.5, 1} else 1)} %"


@register.filter
def milliseconds(number: float | None) -> str:
    """Below ten with two decimals."""
    if number is None:
        return NOTHING
    return _number(number, 2 if number < 10 else 0)


@register.filter
def measured(value: float, unit: str) -> str:
    """Money or a share."""
    return money(value) if unit == "money" else share(value)


@register.filter
def hundredths(part: float) -> str:
    """Of 1, as a length in a drawing."""
    return f"{100 * part:.1f}"


@register.filter
def instant(ms: int) -> str:
    """To the second, UTC."""
    return formats.date_format(utc(ms), "j M Y H:i:s")


def _places(dollars: float) -> int:
    if abs(dollars) >= CENTS_UP_TO:
        return 0
    if abs(dollars) >= 1 or not dollars:
        return 2
    return 4 if abs(dollars) >= TENTH_OF_A_CENT else 6


def _number(number: float, places: int) -> str:
    return formats.number_format(round(number, places), places, force_grouping=True)
