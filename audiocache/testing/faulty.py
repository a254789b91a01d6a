"""Something in front of a real tier or provider that has faults: all else goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

_STORES: Final = frozenset({"leases", "log", "places"})
"""What a tier keeps beside entries: its faults are theirs, too."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a verb, not made yet: a fault makes it, or does something else."""

    verb: str
    target: Any
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    outage: Callable[[], Exception]
    """The error with which a real one says that it cannot be reached."""

    def __call__(self) -> Any:
        """Make the call; its result."""
        return getattr(self.target, self.verb)(*self.arguments, **self.named)


Fault = Callable[[Operation], Any]
"""What happens in place of a call: returns its result, or raises."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What calls have faults, and with which error an outage is told."""

    outage: Callable[[], Exception]
    is_faulty: Callable[[str], bool]
    heard: list[str] = field(default_factory=list)
    """The verbs that were called, in order."""


class Faulty:
    """Stands for `target`, with all its attributes, those that are set meanwhile included."""

    __slots__ = ("__weakref__", "_fault", "_manner", "_target")

    def __init__(self, target: Any, fault: Fault, manner: Manner) -> None:
        for name, value in (("_target", target), ("_fault", fault), ("_manner", manner)):
            object.__setattr__(self, name, value)

    @property  # type: ignore[misc]  # object has it as a plain attribute
    def __class__(self) -> type:
        """For isinstance: what it stands for."""
        return type(self._target)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name in _STORES and found is not None:
            return Faulty(found, self._fault, self._manner)
        if not (callable(found) and self._manner.is_faulty(name)):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._manner.heard.append(name)
            outage = self._manner.outage
            return self._fault(Operation(name, self._target, arguments, named, outage))

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)
