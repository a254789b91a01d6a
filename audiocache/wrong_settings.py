"""Every wrong setting at once, and which later findings are only a consequence of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured

_WORD: Final = re.compile(r"\w+")


class Problem(NamedTuple):
    """What is wrong, in a sentence, and the settings of which nobody knows what was meant."""

    sentence: str
    doubtful: frozenset[str] = frozenset()
    """Environment names."""

    @classmethod
    def about(cls, sentence: str) -> Problem:
        """Of a sentence that begins with names and a colon: these are in doubt."""
        return cls(sentence, frozenset(_WORD.findall(sentence.partition(":")[0])))


class PartlyWrong(ValueError):
    """Of a value of many parts; `rest` has what is right, and is looked at further."""

    def __init__(self, reason: str, rest: Any) -> None:
        super().__init__(reason)
        self.rest = rest


class WrongSettings(ImproperlyConfigured):
    """Every wrong setting at once; `problems` has a sentence for each, with its name."""

    def __init__(self, found: Iterable[Problem], rest: Any = None) -> None:
        self.found = list(found)
        self.problems = [problem.sentence for problem in self.found]
        self.rest = rest
        """The configuration with what is right, and with defaults for what is not."""
        super().__init__("; ".join(self.problems))

    @property
    def doubtful(self) -> frozenset[str]:
        """Environment names of the settings of which nobody knows what was meant."""
        return frozenset().union(*(problem.doubtful for problem in self.found))

    def leaves_certain(self, sentence: str) -> bool:
        """Does it speak of no setting that is in doubt?"""
        return self.doubtful.isdisjoint(_WORD.findall(sentence))

    def certain(self, messages: Iterable[CheckMessage]) -> list[CheckMessage]:
        """Those of what was found in `rest` that are no consequence."""
        return [each for each in messages if self.leaves_certain(f"{each.msg} {each.hint}")]
