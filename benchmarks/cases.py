"""What is measured: a case names the limit, the peers, ours and the goal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any, Final, Protocol

READ: Final = 1.25
"""A gate allows so many times the goal of what reads,"""
COMMIT: Final = 1.5
"""and of what commits."""
BATCH_SECONDS: Final = 0.025
HELD_BYTES: Final = 4 * 2**20
"""Of clips that are held until they are looked at: more would measure the allocator."""


class WrongAnswer(AssertionError):
    """Something was quick and wrong."""


class Contestant(Protocol):
    """Who does the operation of a case."""

    name: str

    @property
    def note(self) -> str:
        """What else is to be said of it."""

    def prepare(self) -> None:
        """Warm up, and find out how many calls make a batch."""

    def measure(self) -> float:
        """One batch: seconds a call, or a figure in the case's unit. Raises WrongAnswer."""


@dataclass(frozen=True, slots=True)
class Case:
    """One operation: who does it, and what is to be reached."""

    row: str
    name: str
    limit: Contestant
    ours: Contestant
    goal: float
    peers: Sequence[Contestant] = ()
    allowance: float = READ
    unit: str = "x"
    """x: times the limit; else what is measured is in this unit, and so is the goal."""
    rounds: int = 99
    """At most: some take seconds."""

    @property
    def contestants(self) -> list[Contestant]:
        """All of them, in the order of the table."""
        return [self.limit, *self.peers, self.ours]


Check = Callable[[Any, Any], object]
"""Of an argument and its result: was it right?"""


class Loop:
    """A call, made on one argument after the other by `map`, so that little else is measured."""

    note = ""
    longest = 20_000
    """Calls at a time."""

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        asked: Sequence[Any],
        check: Check,
        *,
        brings: int = 0,
        before: Callable[[], object] | None = None,
        each: int = 1,
        more: float = 0.0,
        calls: int | None = None,
    ) -> None:
        """A call `brings` so many new bytes, and counts as `each`; `before` a batch, untimed;
        `more` seconds are added; `calls` a batch, where it has to be that many.
        """
        self.name = name
        self._call = call
        self._check = check
        self._chunk = max(1, min(self.longest, HELD_BYTES // max(brings, 1)))
        self._before = before
        self._each = each
        self._more = more
        self._fixed = calls
        self._calls = calls or 1
        self._endless: Iterator[Any] = cycle(asked)

    def prepare(self) -> None:
        """Until a batch takes long enough for the clock."""
        took = self.measure() * self._calls * self._each
        while self._fixed is None and took < BATCH_SECONDS and self._calls < 2**22:
            grow = min(10.0, max(1.2, 1.1 * BATCH_SECONDS / max(took, 1e-9)))
            self._calls = int(self._calls * grow) + 1
            took = self.measure() * self._calls * self._each

    def measure(self) -> float:
        """Seconds a call; what comes back is looked at when the clock stands."""
        if self._before:
            self._before()
        took, left = 0, self._calls
        while left > 0:
            arguments = list(islice(self._endless, min(left, self._chunk)))
            run = self._ready(arguments)
            started = perf_counter_ns()
            results = run()
            took += perf_counter_ns() - started
            self._verify(arguments, results)
            left -= len(arguments)
        return took / self._calls / self._each / 1e9 + self._more

    def _ready(self, arguments: list[Any]) -> Callable[[], list[Any]]:
        """All that is timed."""
        return partial(list, map(self._call, arguments))

    def _verify(self, arguments: list[Any], results: list[Any]) -> None:
        if not all(map(self._check, arguments, results)):
            raise WrongAnswer(f"{self.name} gave something else than was stored")


class Figure:
    """One measurement that is no loop: `take` gives a figure, and what is to be said of it."""

    def __init__(self, name: str, take: Callable[[], tuple[float, str]]) -> None:
        self.name = name
        self.note = ""
        self._take = take

    def prepare(self) -> None:
        """Nothing: it would take as long as the measurement."""

    def measure(self) -> float:
        """The figure."""
        figure, self.note = self._take()
        return figure


class Fixed(Figure):
    """A limit that is known, and said by its name."""

    def __init__(self, name: str, figure: float) -> None:
        super().__init__(name, lambda: (figure, ""))


class Microseconds:
    """A loop whose figure is its time itself."""

    note = ""

    def __init__(self, loop: Loop) -> None:
        self.name = loop.name
        self.prepare = loop.prepare
        self._loop = loop

    def measure(self) -> float:
        """Microseconds a call."""
        return self._loop.measure() * 1e6
