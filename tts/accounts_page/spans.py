"""The spans that the page can show. Hours and days are those of UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils import formats
from django.utils.translation import gettext_lazy as _

from audiocache.history import DAY, HOUR, Span

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


MONTH_DAYS: Final = 30


class Choice(NamedTuple):
    """So many steps (ms) until now."""

    name: str
    """In the address."""
    label: StrPromise
    number: int
    step: int

    def span(self, now: int | None = None) -> Span:
        """The step under way included."""
        return Span.last(self.number, self.step, now)

    def latest(self, now: int | None = None) -> Span:
        """The part of it of which it is told how long calls took: a month at most.

        What was slow a year ago helps nobody, and there are fifty numbers for each hour.
        """
        return self.span(now) if self.step <= DAY else Span.last(MONTH_DAYS, DAY, now)

    def moment(self, at: int) -> str:
        """When a step begins, for people."""
        written = "j M H:i" if self.step < DAY else "j M Y"
        return formats.date_format(datetime.fromtimestamp(at / 1000, tz=UTC), written)


CHOICES: Final = (
    Choice("day", _("24 hours"), 24, HOUR),
    Choice("week", _("7 days"), 28, 6 * HOUR),
    Choice("month", _("30 days"), MONTH_DAYS, DAY),
    Choice("year", _("A year"), 52, 7 * DAY),
)


def chosen(name: str | None) -> Choice:
    """The choice of this name; of any other, the first."""
    return next((choice for choice in CHOICES if choice.name == name), CHOICES[0])
