"""How long may it take to say a text? Wide bounds: only nonsense is outside them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final

from tts import ssml as markup

FASTEST: Final = 40.0
"""Letters a second: speech has 10 to 20, the fastest voices at normal speed near 30."""
USUAL: Final = 22.0
"""Letters a second, where the end of the sound may be missing: half of it has twice as many."""
FREE: Final = 10
"""Letters that say nothing: `Hm!` may be as short as a breath."""
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
PAUSE: Final = 2.0
"""Seconds of a pause or paragraph that says none."""

_UNSAID: Final = re.compile(r"\[[^\[\]]*\]|(\w)(?=\1\1)")
"""Directions in brackets, and what draws a letter out: of a run two count."""
_SYLLABLES: Final = re.compile("[\u3400-\u9fff\uac00-\ud7af]")
"""Han and Hangul: each takes as long as two letters or longer."""
_TAG: Final = re.compile("<[^<>]*>")
_RECORDING: Final = re.compile(r"<(?:\w+:)?(?:audio|backgroundaudio|par|seq|media)\b")
_PAUSE: Final = re.compile(r"<(?:\w+:)?(?:break|p|s|silence)\b")
_TIME: Final = re.compile(r"""["'] ?\+?([0-9]{1,6}(?:\.[0-9]{1,6})?|\.[0-9]{1,6}) ?(ms|s)["']""")


def bounds(text: str, speed: float, *, ssml: bool, fastest: float = FASTEST) -> tuple[float, float]:
    """The least and the most plausible seconds for a text at a speed factor.

    A text of no letter and no digit may be as short as a sound, and SSML as long as its
    pauses say; SSML that plays a recording has no bound.
    """
    if not ssml:
        least, most = _spoken(text, fastest)
    elif _RECORDING.search(tags := _without_comments(text)):
        return LEAST, NO_BOUND
    else:
        least, most = _spoken(_between_tags(text), fastest)
        least, most = least / PROSODY, most * PROSODY + _pauses(tags)
    return max(LEAST, least / max(speed, 1.0)), most / min(speed, 1.0)


def _between_tags(document: str) -> str:
    try:
        return markup.read(document).spoken
    except ValueError:  # a provider that speaks it nevertheless will know
        return _TAG.sub(" ", document)


def _without_comments(document: str) -> str:
    first, *others = document.split("<!--")
    return first + "".join(other.partition("-->")[2] for other in others)


def _spoken(text: str, fastest: float) -> tuple[float, float]:
    kinds = Counter(map(unicodedata.category, text))
    letters = kinds["Ll"] + kinds["Lu"] + kinds["Lt"]
    silent = kinds["Zs"] + kinds["Cc"]
    others = len(text) - letters - silent
    least = (_least_letters(text) - FREE) / fastest
    return least, PAUSES + letters * SLOWEST_LETTER + others * SLOWEST_OTHER


def _least_letters(text: str) -> int:
    """Those that are said whatever the voice makes of the text."""
    said = _UNSAID.sub("", text)
    kinds = Counter(map(unicodedata.category, said))
    letters = kinds["Ll"] + kinds["Lu"] + kinds["Lt"] + kinds["Lo"]
    return letters + len(_SYLLABLES.findall(said))


def _pauses(ssml: str) -> float:
    """Seconds of the pauses in SSML, those without a time at a guess."""
    times = [float(time) / (1000 if unit == "ms" else 1) for time, unit in _TIME.findall(ssml)]
    return sum(times) + len(_PAUSE.findall(ssml)) * PAUSE
