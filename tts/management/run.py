"""A run of warming, as far as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tts.exceptions import InvalidSpeechRequest
from tts.management.plan import Plan
from tts.speech import SpeechRequest
from tts.warming import Warming


@dataclass(slots=True)
class Run:
    """Knows where each phrase stands, which the warming itself does not."""

    plan: Plan
    left_out: Counter[str]
    """Messages of catalogues, by the reason why they are not spoken."""
    warming: Warming = field(default_factory=Warming)
    failures: list[str] = field(default_factory=list)
    """Place and kind of error."""
    interrupted: int = 0
    """The exit code that says so; 0: it was not."""
    _places: dict[int, str] = field(default_factory=dict)
    """By the identity of the request, which the plan keeps."""
    _errors: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.failures += self.plan.refused

    def requests(self) -> Iterator[SpeechRequest]:
        """What is missing, one after the other."""
        for phrase in self.plan.missing:
            self._places[id(phrase.request)] = phrase.place
            yield phrase.request

    def note(self, warming: Warming) -> None:
        """Called after each phrase."""
        self.warming = warming
        if new := warming.errors - self._errors:
            place = self._places[id(warming.latest)]
            self.failures.append(f"{place}: {', '.join(new)}")
            self._errors = warming.errors.copy()

    @property
    def left(self) -> int:
        """Phrases that were to be made and were not tried."""
        return len(self.plan.missing) - self.warming.done

    def report(self) -> dict[str, Any]:
        """For people and for JSON."""
        return {
            "stored": self.warming.stored,
            "skipped": self.plan.stored + self.warming.skipped,
            "duplicates": self.plan.duplicates,
            "failed": len(self.failures),
            "not_done": self.left,
            "over_limit": self.plan.later,
            "left_out": dict(sorted(self.left_out.items())),
            "errors": self._by_kind(),
            "failures": self.failures,
            "stopped_by": self.warming.stopped_by,
        }

    def _by_kind(self) -> dict[str, int]:
        kinds = self.warming.errors.copy()
        kinds[InvalidSpeechRequest.__name__] += len(self.plan.refused)
        return {kind: number for kind, number in sorted(kinds.items()) if number}
