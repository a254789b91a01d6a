"""How long may it take to say a text? Wide bounds: only nonsense is outside them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

from tts import ssml as markup
from tts.paces import ALPHABET, seconds_of

FASTEST: Final = 2.2
"""How much faster than a voice is at most (`tts.paces`) a clip may be that is known to be whole, or
was asked to hurry: 40 letters a second. Only nonsense is outside."""
USUAL: Final = 1.2
"""The same where the end may be missing: half of a clip is twice as fast."""
STEADY: Final = 1.0
"""Where it seems to be missing."""
FREE: Final = 10 / ALPHABET
"""Seconds of a voice's fastest pace that say nothing: `Hm!` may be as short as a breath."""
LEAST: Final = 0.03
"""Seconds of the shortest sound."""

SLOWEST_LETTER: Final = 0.6
"""Seconds; spelled letters included."""
SLOWEST_OTHER: Final = 4.0
"""Seconds; digits of long numbers, symbols and emoji read by name, ideographs."""
PAUSES: Final = 10.0
"""Seconds of silence around short texts."""
NO_BOUND: Final = 86_400.0
PROSODY: Final = 6.0
"""How much faster or slower SSML may have a text said; also for what its tags hide or say."""
STEADY_TAGS: Final = frozenset({"speak", "p", "s", "break", "mark", "emphasis", "lang", "voice"})
"""Those that make nobody speak faster, and hide nothing."""
PAUSE: Final = 2.0
"""Seconds of a pause or paragraph that says none."""

_UNSAID: Final = re.compile(
    r"\[[^\[\]]*\]|<[^<>]*>|(?:https?://|www\.)\S+|(\w)(?=\1\1)", re.IGNORECASE
)
"""Directions in brackets, tags, addresses, and what draws a letter out: of a run two count."""
_DIRECTION: Final = re.compile(r"\[[^\[\]]*\]")
_TAG: Final = re.compile("<[^<>]*>")
_RECORDING: Final = re.compile(r"<(?:\w+:)?(?:audio|backgroundaudio|par|seq|media)\b")
_PAUSE: Final = re.compile(r"<(?:\w+:)?(?:break|p|s|silence)\b")
_TIME: Final = re.compile(r"""["'] ?\+?([0-9]{1,6}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}) ?(ms|s)["']""")


def bounds(text: str, speed: float, *, ssml: bool, haste: float = FASTEST) -> tuple[float, float]:
    """The least and the most plausible seconds for a text at a speed factor.

    A text of no letter and no digit may be as short as a sound, and SSML as long as its
    pauses say; SSML that plays a recording has no bound. A speed below 1 and pauses allow for
    more and ask for nothing: some voices pass over both.
    """
    if not ssml:
        least, most = _spoken(text, haste)
    elif _RECORDING.search(tags := _without_comments(text)):
        return LEAST, NO_BOUND
    else:
        document = _read(text)
        least, most = _spoken(document.spoken, haste)
        least = least if document.elements <= STEADY_TAGS else least / PROSODY
        most = most * PROSODY + _pauses(tags)
    return max(LEAST, least / max(speed, 1.0)), most / min(speed, 1.0)


def has_directions(text: str) -> bool:
    """Is there anything in brackets? To some models that says how to speak, such as in a hurry."""
    return bool(_DIRECTION.search(text))


def said(text: str) -> str:
    """Without what a voice may leave out."""
    return _UNSAID.sub("", text)


def _read(document: str) -> markup.Document:
    try:
        return markup.read(document)
    except ValueError:  # a provider that speaks it nevertheless will know
        return markup.Document(_TAG.sub(" ", document), frozenset({"?"}))


def _without_comments(document: str) -> str:
    first, *others = document.split("<!--")
    return first + "".join(other.partition("-->")[2] for other in others)


def _spoken(text: str, haste: float) -> tuple[float, float]:
    kinds = Counter(map(unicodedata.category, text))
    letters = kinds["Ll"] + kinds["Lu"] + kinds["Lt"]
    silent = kinds["Zs"] + kinds["Cc"]
    others = len(text) - letters - silent
    least = (seconds_of(said(text)) - FREE) / haste
    return least, PAUSES + letters * SLOWEST_LETTER + others * SLOWEST_OTHER


def _pauses(ssml: str) -> float:
    """Seconds of the pauses in SSML, those without a time at a guess."""
    times = [float(time) / (1000 if unit == "ms" else 1) for time, unit in _TIME.findall(ssml)]
    return sum(times) + len(_PAUSE.findall(ssml)) * PAUSE
