"""A pass: every phrase asked for once, with who answered and how long it took."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from project.demo.phrases import Phrase
from project.demo.stage import Stage
from tts.speech import PROVIDER, Speech

Heard = Callable[[Phrase, Speech], object]
"""Told of each answer, outside the time that is measured."""


class Answer(NamedTuple):
    """One call of the service."""

    key: str
    tier: str
    nanoseconds: int
    """Around the public call, and nothing else."""
    digest: str
    """Of the audio."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass has measured."""

    answers: list[Answer]
    calls: int
    """Clips that the voice made meanwhile, as the voice counted them."""

    @property
    def tiers(self) -> Counter[str]:
        """Answers by the tier that gave them."""
        return Counter(answer.tier for answer in self.answers)

    @property
    def hits(self) -> int:
        """Answers that were not made."""
        return len(self.answers) - self.tiers[PROVIDER]

    @property
    def saved(self) -> int:
        """Phrases that were had without a call."""
        return len(self.answers) - self.calls

    def all_from(self, tier: str) -> bool:
        """Did this tier, and no other, answer everything?"""
        return self.tiers == {tier: len(self.answers)}

    def quantile_ms(self, share: float) -> float:
        """The time within which this share of the calls was done: an observed one."""
        times = sorted(answer.nanoseconds for answer in self.answers)
        return times[math.ceil(share * len(times)) - 1] / 1_000_000


def run(stage: Stage, phrases: Iterable[Phrase], heard: Heard | None = None) -> Pass:
    """Ask the service for each phrase, one after the other. Raises TTSError."""
    calls = stage.voice.calls
    answers = []
    for phrase in phrases:
        request = phrase.request()
        started = time.perf_counter_ns()
        speech = stage.service.synthesize_sync(request)
        took = time.perf_counter_ns() - started
        answers.append(Answer(speech.key, speech.tier, took, sha256(speech.audio).hexdigest()))
        if heard is not None:
            heard(phrase, speech)
    return Pass(answers, stage.voice.calls - calls)
