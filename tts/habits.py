"""What a voice always does: learned from its clips that were admitted, in this process.

How fast voices speak differs by two, and half a clip is twice as fast: one bound for all of them
lets the halves of slow voices pass. A voice itself keeps its pace, and its way to end. Digits,
signs, spelled capitals and pauses make a text slower, never faster: what a voice says in plain
sentences is a bound for whatever it says. Numbers are kept, and no text.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Hashable
from itertools import pairwise
from statistics import fmean, median
from typing import Final, NamedTuple

from audiocache.forks import RenewedLock
from tts.endings import WINDOW
from tts.paces import scripts_of, seconds_of
from tts.plausible import said
from tts.speech import SpeechRequest

VOICES: Final = 128
"""So many are known; the one that was silent for the longest leaves."""
CLIPS: Final = 48
"""The latest of each."""
FEW: Final = 8
"""Clips after which an end that is none of this voice's says something."""
MANY: Final = 16
"""After which its pace alone does, and one clip in all is thought to be an accident."""
TEACHES: Final = 1.5
"""Seconds at the fastest pace of `tts.paces`; shorter texts have none of their own."""
FREE: Final = 0.2
"""Seconds of it that say nothing: a few letters may be silent."""
DOUBTS: Final = 12
"""Refusals in a row, of texts that teach: then the voice has changed, and is learned anew."""

_ASIDE: Final = re.compile(r"\([^()]*\)|\uff08[^\uff08\uff09]*\uff09|\*[^*]*\*|:\w+:|&#?\w+;")
"""Also what only some models leave out: `(laughs)`, `*sighs*`, `:tada:`, `&nbsp;`."""


class Margin(NamedTuple):
    """How fast is faster than this voice: the least of what exceeds all three."""

    fastest: float
    """Times its fastest clip."""
    usual: float
    """Times its median."""
    spread: float
    """Standard deviations from it."""


ODD: Final = Margin(1.15, 1.35, 4)
"""With an end as it never has."""
ALONE: Final = Margin(1.5, 1.7, 6)
"""With an end like any other."""


class Habit:
    """What one voice does. Paces are of those in `tts.paces`: 1 is a voice's fastest."""

    def __init__(self) -> None:
        self.doubts = 0
        self._paces: deque[float] = deque(maxlen=CLIPS)
        self._rests: deque[float] = deque(maxlen=CLIPS)

    def learn(self, pace: float, rest: float | None) -> None:
        """Of one more whole clip."""
        self.doubts = 0
        self._paces.append(pace)
        if rest is not None:
            self._rests.append(rest)

    def limit(self, rest: float | None) -> float:
        """The pace that none of its whole clips has that ends with so many seconds of quiet."""
        if len(self._paces) >= FEW and self._is_odd(rest):
            return self._beyond(ODD)
        return self._beyond(ALONE) if len(self._paces) >= MANY else math.inf

    def _is_odd(self, rest: float | None) -> bool:
        """An end in full voice, or with a third of the quiet that is the least of this voice."""
        known = sorted(self._rests)
        least = known[len(known) >= MANY] if len(known) >= FEW else 0.0
        return rest is not None and rest < max(WINDOW, least / 3)

    def _beyond(self, margin: Margin) -> float:
        logs = sorted(map(math.log, self._paces))
        middle, mean = median(logs), fmean(logs)
        spread = math.sqrt(fmean((log - mean) ** 2 for log in logs))
        fastest = logs[-1 - (len(logs) >= MANY)]
        least = middle + max(math.log(margin.usual), margin.spread * spread)
        return math.exp(max(fastest + math.log(margin.fastest), least))


class Habits:
    """Of the voices of a provider. Used by many threads; nothing in it waits."""

    def __init__(self) -> None:
        self._lock = RenewedLock()
        self._voices: OrderedDict[Hashable, Habit] = OrderedDict()

    def shortest(self, request: SpeechRequest, seconds: float, rest: float | None) -> float | None:
        """What this text takes at the least, where a clip of so many seconds is a part of it.

        `rest` is how long it is quiet at its end; None: that cannot be heard.
        """
        needed, voice = seconds_of(_surely_said(request.text)) - FREE, _voice_of(request)
        with self._lock:
            habit = self._voices.get(voice)
            least = needed / habit.limit(rest) if habit else 0.0
            if habit is None or seconds >= least:
                return None
            habit.doubts += is_plain(request.text)
            if habit.doubts >= DOUBTS:
                del self._voices[voice]
            return least

    def learn(self, request: SpeechRequest, seconds: float, rest: float | None) -> None:
        """Of a clip that was admitted, where its text has a pace of its own."""
        if not is_plain(request.text):
            return
        pace, voice = seconds_of(request.text) / seconds, _voice_of(request)
        with self._lock:
            self._voices.setdefault(voice, Habit()).learn(pace, rest)
            self._voices.move_to_end(voice)
            if len(self._voices) > VOICES:
                self._voices.popitem(last=False)


def is_plain(text: str) -> bool:
    """Is it long enough, and said as fast as the voice goes: letters, and few pauses?"""
    kinds = [unicodedata.category(sign) for sign in text]
    marks = sum(kind[0] == "P" for kind in kinds) + text.count("\n")
    spelled = any(one == two == "Lu" for one, two in pairwise(kinds))
    signs = any(kind[0] in "NS" for kind in kinds)
    seconds = seconds_of(text)
    return not (spelled or signs) and seconds >= max(TEACHES, marks) and _surely_said(text) == text


def _surely_said(text: str) -> str:
    return _ASIDE.sub("", said(text))


def _voice_of(request: SpeechRequest) -> Hashable:
    """All that changes its pace, and what is written in its texts; of options a hash."""
    options = {k: v for k, v in request.options.items() if k not in request.text_options}
    return (
        request.model,
        request.voice,
        request.voice_revision,
        request.language,
        request.speed,
        request.sample_rate,
        hash(json.dumps(options, sort_keys=True, default=str)),
        scripts_of(request.text),
    )
