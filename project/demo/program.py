"""The passes in their order, and what each of them showed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from project.demo import newcomer, passes, visit
from project.demo.clips import Clips
from project.demo.passes import Pass
from project.demo.phrases import Phrase, Script
from project.demo.screen import Screen, Step
from project.demo.stage import Stage
from project.demo.visit import Visit
from tts.speech import Speech

COLD: Final = "cold"
MEMORY: Final = "memory"
NEW_PROCESS: Final = "new process"
REDIS: Final = "Redis alone"
BRIEF: Final = "brief, spoken"
BRIEF_AT_ONCE: Final = "brief, at once"
BRIEF_AFTER: Final = "brief, after 2 s"
VOICES: Final = "two voices"
VOICES_AGAIN: Final = "the same again"

LIFE: Final = 2.0
"""Seconds that the brief clips live."""
GRACE: Final = 0.05
"""Seconds past an expiry: a computer's clock may be corrected meanwhile."""


class Program:
    """Plays once; afterwards everything that was measured is in its attributes."""

    def __init__(self, stage: Stage, script: Script, clips: Clips, screen: Screen) -> None:
        self.stage = stage
        self.script = script
        self.clips = clips
        self.passes: dict[str, Pass] = {}
        self.counted: list[dict[str, int]] = []
        """By process: the newcomer's first, then ours."""
        self.removed: dict[str, int] = {}
        """By the clean-up, from each tier."""
        self.rows_left = 0
        self.visit: Visit | None = None
        """None: there is no curl."""
        self._screen = screen

    def play(self) -> None:
        """All passes. Raises TTSError, NewcomerFailed and OSError."""
        self._pass(COLD, self.script.usual, keep=True)
        self._pass(MEMORY, self.script.usual)
        self._new_process()
        if "distributed" in self.stage.tiers:
            self.stage.empty("memory", "persistent")
            self._pass(REDIS, self.script.usual)
        self._expiry()
        self._clean_up()
        self._pass(VOICES, self.script.voiced, keep=True)
        self._pass(VOICES_AGAIN, self.script.voiced)
        self.counted.append(self.stage.counted())
        self._over_http()

    def _pass(self, name: str, phrases: list[Phrase], *, keep: bool = False) -> None:
        def play(step: Step) -> Pass:
            def heard(phrase: Phrase, speech: Speech) -> None:
                if keep:
                    self.clips.keep(phrase, speech)
                step()

            return passes.run(self.stage, phrases, heard)

        self._note(name, len(phrases), play)

    def _new_process(self) -> None:
        def play(_: Step) -> Pass:
            told = newcomer.send(self.stage, self.script.usual)
            self.counted.append(told.counted)
            return told.passed

        self._note(NEW_PROCESS, None, play)

    def _expiry(self) -> None:
        """Spoken with a short life, asked for at once, and asked for after it."""
        self.stage.voice.life = LIFE
        self._pass(BRIEF, self.script.brief, keep=True)
        self._pass(BRIEF_AT_ONCE, self.script.brief)
        self._wait("waiting for their end")
        self._pass(BRIEF_AFTER, self.script.brief)
        self.stage.voice.life = None

    def _clean_up(self) -> None:
        """The brief clips are past their time again, and nobody asks for them."""
        self._wait("waiting for their end again")
        self.removed = self.stage.cache.cleanup_expired()
        self.rows_left = self.stage.rows()
        self._screen.line(f"{'clean-up':<18}{sum(self.removed.values()):>4} clips removed")

    def _over_http(self) -> None:
        with self._screen.progress("over HTTP", None):
            self.visit = visit.pay(Path(self.stage.setting["folder"] or "") / "site")
        self._screen.line(f"{'over HTTP':<18}   {'curl was answered' if self.visit else 'no curl'}")

    def _wait(self, why: str) -> None:
        with self._screen.progress(why, None):
            time.sleep(LIFE + GRACE)

    def _note(self, name: str, total: int | None, play: Callable[[Step], Pass]) -> None:
        started = time.perf_counter()
        with self._screen.progress(name, total) as step:
            self.passes[name] = passed = play(step)
        seconds = time.perf_counter() - started
        self._screen.line(f"{name:<18}{len(passed.answers):>4} phrases in {seconds:.2f} s")
