"""The charts of the page: which figures, in which colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from django.utils.translation import gettext as _

from tts.accounts import Moment
from tts.accounts_page.charts import Chart, Column, Key, bars, line, top_of
from tts.accounts_page.figures import Figures
from tts.accounts_page.spans import Choice
from tts.templatetags.accounts import money

CENT: Final = 10_000
"""An empty chart ends there."""


def charts(figures: Figures, choice: Choice) -> list[Chart]:
    """Spent, saved, hit rates."""
    steps = [choice.moment(period) for period in figures.span.periods]
    return [_spent(figures, steps), _saved(figures, steps), _hit_rates(figures, steps)]


def _spent(figures: Figures, steps: Sequence[str]) -> Chart:
    keys = (Key("again", _("paid again")), Key("spent", _("paid for the first time")))
    return _of_money(_("Spent"), figures, steps, keys, _parts_of_spent)


def _parts_of_spent(moment: Moment) -> tuple[int, ...]:
    again = min(moment.paid_again, moment.spent)
    return (again, moment.spent - again)


def _saved(figures: Figures, steps: Sequence[str]) -> Chart:
    keys = (Key("saved", _("what hits would have cost")),)
    return _of_money(_("Saved"), figures, steps, keys, lambda moment: (moment.saved,))


def _of_money(
    title: str,
    figures: Figures,
    steps: Sequence[str],
    keys: tuple[Key, ...],
    parts: Callable[[Moment], tuple[int, ...]],
) -> Chart:
    columns = [
        Column(found := parts(moment), f"{step}: {money(sum(found))}")
        for step, moment in zip(steps, figures.moments, strict=True)
    ]
    top = max(CENT, top_of(columns))
    drawn = bars(columns, [key.kind for key in keys], top)
    return Chart(title, "money", top, _ends(steps), keys, bars=drawn)


def _hit_rates(figures: Figures, steps: Sequence[str]) -> Chart:
    keys = tuple(Key(tier.name, tier.name) for tier in figures.tiers)
    lines = [line(tier.name, tier.rates) for tier in figures.tiers]
    return Chart(_("Hit rate by tier"), "share", 1, _ends(steps), keys, lines=lines)


def _ends(steps: Sequence[str]) -> tuple[str, ...]:
    return (steps[0], steps[len(steps) // 2], steps[-1])
