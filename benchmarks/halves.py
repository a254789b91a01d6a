"""Which parts of clips are refused, in forms that do not say how long they are: two tables.

`python -m benchmarks.halves` prints those of docs/providers.md, and exits 1 where a whole clip was
refused. The local voice speaks in eight scripts: alike, by moods, and at speeds that are asked for.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from audiocache.entries import Recording
from tests.tts import tagged
from tests.tts.clips import TEXTS, encoded
from tts.admission import admit
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import NotAudio
from tts.habits import Habits
from tts.providers.espeak import EspeakProvider
from tts.speech import SpeechRequest
from tts.wav import read_wav, wav_of

PARTS: Final = (0.25, 0.5, 0.75)
LENGTHS: Final = (1, 2, 3, 5, 8, 13, 20, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300)
LONG: Final = 20
"""Characters; shorter texts are in no table, as little can be cut of them."""
FIRST: Final = "first"
STAGES: Final = {"after 20": range(20, 60), "after 100": range(100, 140)}
"""Which clips of a voice are cut; as the first of it, all are."""
CLIPS: Final = 140
SPEEDS: Final = (0.5, 0.75, 1.25, 1.5, 2.0)
MOOD: Final = 0.1
"""By how much a voice may be faster or slower from clip to clip: a standard deviation."""


class Spoken(NamedTuple):
    """A whole clip."""

    audio: bytes
    samples: int
    rate: int


class Form(NamedTuple):
    """One that does not say how long it is."""

    name: str
    made: Callable[[bytes, int], bytes]
    """Of samples and their rate."""
    cut: Callable[[Spoken, float], bytes]
    """A part from the beginning, in whole samples or frames."""


def _unsaid(pcm: bytes, rate: int) -> bytes:
    audio = bytearray(wav_of(pcm, rate))
    audio[4:8] = audio[40:44] = b"\xff" * 4
    return bytes(audio)


def _frames(clip: Spoken, part: float) -> bytes:
    return tagged.first_frames(clip.audio, part * clip.samples / clip.rate, clip.rate)


FORMS: Final = (
    Form("pcm", lambda pcm, _: pcm, lambda clip, part: clip.audio[: 2 * int(clip.samples * part)]),
    Form("wav", _unsaid, lambda clip, part: clip.audio[: 44 + 2 * int(clip.samples * part)]),
    Form("mp3", lambda pcm, rate: tagged.without_xing(encoded(pcm, rate, "mp3")), _frames),
)


class Voice(NamedTuple):
    """A way to speak; the factor is what nobody asked for."""

    name: str
    speed: float
    factor: Callable[[random.Random], float]
    clips: int


VOICES: Final = (
    Voice("one pace", 1.0, lambda _: 1.0, CLIPS),
    Voice("moods", 1.0, lambda chance: min(2.0, max(0.5, chance.lognormvariate(0, MOOD))), CLIPS),
    *(Voice(f"speed {speed}", speed, lambda _: 1.0, 40) for speed in SPEEDS),
)


@dataclass
class Tally:
    """What was refused, by voice, script, stage and part."""

    seen: Counter[tuple[str, str, str, float]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str, str, float]] = field(default_factory=Counter)

    def note(self, row: tuple[str, str, str, float], *, refused: bool) -> None:
        self.seen[row] += 1
        self.refused[row] += refused

    def share(self, voice: str, script: str, stage: str, part: float) -> int:
        """Percent."""
        row = voice, script, stage, part
        return round(100 * self.refused[row] / max(1, self.seen[row]))

    def whole(self) -> tuple[int, int]:
        """How many whole clips were heard, and how many refused."""
        rows = [row for row in self.seen if row[3] == 1]
        return sum(self.seen[row] for row in rows), sum(self.refused[row] for row in rows)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; 0 where no whole clip was refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.halves", description=__doc__)
    parser.add_argument("--scripts", default=",".join(TEXTS), help="such as en,ru")
    parser.add_argument("--seed", default="halves", help="other texts")
    given = parser.parse_args(words)
    scripts = given.scripts.split(",")
    tally = measured(scripts, VOICES, given.seed)
    for voice in VOICES[:2]:
        print(table(tally, voice.name, scripts))
    clips, refused = tally.whole()
    print(f"{refused} of {clips} whole clips were refused.")
    return int(refused > 0)


def measured(scripts: Sequence[str], voices: Sequence[Voice], seed: str) -> Tally:
    """All voices in all scripts, each script in a habit of its own."""
    tally, provider = Tally(), EspeakProvider(TTSConfig())
    for script in scripts:
        for voice in voices:
            _hear(provider, script, voice, random.Random(f"{seed} {script} {voice.name}"), tally)
    return tally


def table(tally: Tally, voice: str, scripts: Sequence[str]) -> str:
    """As Markdown."""
    lines = [
        f"| {voice}: refused of | {' | '.join(scripts)} |",
        "|---" * (len(scripts) + 1) + "|",
    ]
    for part in PARTS:
        for stage in (FIRST, *STAGES):
            shares = " | ".join(str(tally.share(voice, one, stage, part)) for one in scripts)
            lines.append(f"| {part:.0%}, {stage} | {shares} |")
    return "\n".join([*lines, ""])


def texts(script: str, chance: random.Random) -> Iterator[str]:
    """Parts of a text and words in any order, with numbers and exclamations among them."""
    words = re.findall(r"\S{1,3}" if script in {"cmn", "ja"} else r"\S+\s*", TEXTS[script])
    while True:
        begin = chance.randrange(len(words))
        chosen = words[begin:] + words[:begin]
        if chance.random() < 0.6:
            chosen = chance.choices(words, k=len(words))
        said = "".join(chosen)[: chance.choice(LENGTHS)].rstrip(" .,。、")
        number, mood = chance.randrange(10 ** chance.randrange(1, 9)), chance.random()
        said += f" {number}" if mood < 0.1 else "!!!" if mood < 0.15 else "?" if mood < 0.2 else "."
        if any(map(str.isalpha, said)):
            yield said


class _Judge(Habits):
    """Judges by what another one has learned, and learns nothing of what is cut here."""

    def __init__(self, learned: Habits) -> None:
        super().__init__()
        self._learned = learned

    def shortest(self, request: SpeechRequest, seconds: float, rest: float | None) -> float | None:
        return self._learned.shortest(request, seconds, rest)

    def learn(self, request: SpeechRequest, seconds: float, rest: float | None) -> None:
        pass


def _hear(
    provider: EspeakProvider, script: str, voice: Voice, chance: random.Random, tally: Tally
) -> None:
    habits = Habits()
    for number, text in zip(range(voice.clips), texts(script, chance), strict=False):
        form = FORMS[number % len(FORMS)]
        clip, asked = _spoken(provider, text, script, voice.speed * voice.factor(chance), form)
        asked = asked.completed(speed=voice.speed)
        stages: dict[str, Habits | None] = {
            stage: _Judge(habits) for stage, numbers in STAGES.items() if number in numbers
        }
        for part in PARTS if len(text) >= LONG else ():
            cut = form.cut(clip, part)
            for stage, learned in ({FIRST: None} | stages).items():
                refused = is_refused(cut, asked, learned)
                tally.note((voice.name, script, stage, part), refused=refused)
        whole = is_refused(clip.audio, asked, habits)
        tally.note((voice.name, script, "", 1.0), refused=whole)


def _spoken(
    provider: EspeakProvider, text: str, script: str, speed: float, form: Form
) -> tuple[Spoken, SpeechRequest]:
    asked = provider.complete(
        SpeechRequest(text, language=script, audio_format="wav", speed=round(speed, 3))
    )
    heard = read_wav(provider.synthesize(asked.spoken(), Deadline.after(60)).audio)
    audio = form.made(heard.data, heard.sample_rate)
    clip = Spoken(audio, len(heard.data) // 2, heard.sample_rate)
    return clip, asked.completed(audio_format=form.name, sample_rate=heard.sample_rate)


def is_refused(audio: bytes, asked: SpeechRequest, habits: Habits | None = None) -> bool:
    """By admission; which learns from it otherwise, where it is given habits."""
    try:
        admit(Recording(audio=audio), asked, habits)
    except NotAudio:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
