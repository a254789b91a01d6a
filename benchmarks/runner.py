"""Rounds: each runs everybody once, in shuffled order, so that a slow moment meets them all."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks.cases import Case


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured of a case: a figure of each contestant in each round."""

    case: Case
    figures: dict[str, list[float]]
    notes: dict[str, str]

    def ratio(self, name: str) -> float:
        """To the limit: the median of what the rounds say, each for itself."""
        pairs = zip(self.figures[name], self.figures[self.case.limit.name], strict=True)
        return median(figure / limit for figure, limit in pairs)

    def figure(self, name: str) -> float:
        """The median of the rounds."""
        return median(self.figures[name])

    @property
    def reached(self) -> float:
        """Ours, in the case's unit."""
        name = self.case.ours.name
        return self.ratio(name) if self.case.unit == "x" else self.figure(name)

    @property
    def met(self) -> bool:
        """Is the goal reached?"""
        return self.reached <= self.case.goal

    @property
    def passed(self) -> bool:
        """Is it reached within the allowance?"""
        return self.reached <= self.case.goal * self.case.allowance


def run(case: Case, rounds: int, chance: random.Random) -> Outcome:
    """Measure a case. Raises WrongAnswer."""
    for contestant in case.contestants:
        contestant.prepare()
    figures: dict[str, list[float]] = {each.name: [] for each in case.contestants}
    for _ in range(min(rounds, case.rounds)):
        order = case.contestants
        chance.shuffle(order)
        with _no_collector():
            for contestant in order:
                figures[contestant.name].append(contestant.measure())
    return Outcome(case, figures, {each.name: each.note for each in case.contestants})


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
