"""What a run says before and after its passes."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Final

from project.demo import tables
from project.demo.claims import claims
from project.demo.program import Program
from project.demo.screen import Screen
from project.demo.surroundings import foreign_settings

ROOT: Final = Path(__file__).resolve().parents[2]
NEXT: Final = """\
Next:  {python} manage.py speak "Hello" -o hello.wav
       make serve
       make test"""


class Report:
    """Words around a program; every number in them is the program's."""

    def __init__(self, screen: Screen, program: Program) -> None:
        self.program = program
        self._screen = screen

    def opening(self, redis_url: str | None, redis: str) -> None:
        """What will be spoken, by whom, and where it is kept."""
        usual = Counter(phrase.language for phrase in self.program.script.usual)
        languages = ", ".join(f"{name} {number}" for name, number in sorted(usual.items()))
        self._screen.paragraph(f"Phrases: {usual.total()} ({languages}), with the local voice.")
        if redis_url:
            self._screen.paragraph(f"Redis: {redis}, started for this run.")
        else:
            self._screen.paragraph(f"Redis: could not be started: {redis}")
            self._screen.paragraph("The run goes on with memory and database, without its pass.")
        if foreign := foreign_settings():
            self._screen.paragraph(
                f"Not used here, for the demo has its own configuration: {', '.join(foreign)}."
            )
        self._screen.line()

    def closing(self, seconds: float) -> int:
        """All that was measured, and what it shows; how many claims do not hold."""
        installation = self.program.stage.cache.get_installation_stats()
        self._passes()
        self._statistics(installation)
        self._visit()
        failed = self._claims(installation)
        self._files()
        self._screen.line(f"Finished in {seconds:.1f} s.")
        self._screen.line()
        self._screen.line(NEXT.format(python=_python()))
        return failed

    def _passes(self) -> None:
        self._screen.line()
        self._screen.table(tables.PASSES, tables.pass_rows(self.program.passes))
        removed = ", ".join(f"{tables.say(t)} {n}" for t, n in self.program.removed.items())
        self._screen.paragraph(f"Clean-up removed: {removed} (Redis removes its own).")

    def _statistics(self, installation: dict[str, int]) -> None:
        stage = self.program.stage
        self._block(
            "Look-ups of this process", tables.TIERS, tables.tier_rows(stage.tiers, stage.counted())
        )
        self._block(
            "Look-ups of the installation: this process and the new one",
            tables.TIERS,
            tables.tier_rows(stage.tiers, installation),
        )
        self._block("Held at the end", tables.HELD, tables.held_rows(stage))

    def _block(self, title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        self._screen.line()
        self._screen.line(title)
        self._screen.table(head, rows)

    def _visit(self) -> None:
        self._screen.line()
        if (visit := self.program.visit) is None:
            self._screen.paragraph("Over HTTP: curl is not installed, so nobody asked.")
            return
        self._screen.line("Over HTTP, with a key made for it:")
        self._screen.line(f"SPEECH_KEY={visit.key}")
        self._screen.line(visit.command)
        for title, answer in (("a miss", visit.miss), ("a hit", visit.hit)):
            self._screen.line(f"  {title}")
            for line in answer.head:
                self._screen.line(f"    {line}")

    def _claims(self, installation: dict[str, int]) -> int:
        self._screen.line()
        found = list(claims(self.program, installation))
        for claim in found:
            self._screen.line(f"{claim.sentence}: {'yes' if claim.holds else 'NO'}")
        return sum(not claim.holds for claim in found)

    def _files(self) -> None:
        clips = self.program.clips
        minutes = clips.listen().seconds / 60
        self._screen.line()
        self._screen.paragraph(
            f"{len(clips.files)} clips, {minutes:.1f} minutes of sound, to listen to in "
            f"{clips.folder}"
        )


def _python() -> str:
    """As it is typed in the project's folder."""
    running = Path(sys.executable)
    return str(running.relative_to(ROOT)) if running.is_relative_to(ROOT) else "python"
