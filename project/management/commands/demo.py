"""manage.py demo: the whole line on real phrases, in under a minute, without key or server."""

from __future__ import annotations

import sys
import time
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from project.demo import newcomer, site, surroundings
from project.demo.clips import Clips
from project.demo.phrases import PER_LOCALE, Script
from project.demo.program import Program
from project.demo.report import Report
from project.demo.screen import Screen
from project.demo.stage import Stage
from tts.exceptions import TTSError

FOLDER: Final = Path(__file__).resolve().parents[3] / "demo-output"
INTERRUPTED: Final = 130
"""What a shell says of a program that Ctrl-C has ended."""
TROUBLE: Final = (TTSError, ImproperlyConfigured, newcomer.NewcomerFailed, OSError)


class Command(BaseCommand):
    """Speaks, listens, measures, and says whether all was as it should be."""

    help = "Speak real phrases through the whole line; show which tier answers, and how fast."
    # The demo configures itself: a mistake in the site's own settings is no matter here.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much, and where to."""
        parser.add_argument(
            "--phrases",
            type=_positive,
            metavar="N",
            help=f"at most N of each language (default: {PER_LOCALE}, and all of the assistant's)",
        )
        parser.add_argument("--output", type=Path, default=FOLDER, metavar="FOLDER")
        for option in (newcomer.OPTION, site.OPTION):
            parser.add_argument(option, action="store_true", help=SUPPRESS)

    def handle(self, *_: Any, **options: Any) -> None:
        """Play the program, or the part of the other process in it."""
        try:
            with surroundings.an_end_in_order():
                if options["newcomer"]:
                    self.stdout.write(newcomer.answer(sys.stdin.read()))
                elif options["site"]:
                    site.serve(sys.stdin, sys.stdout)
                else:
                    self._play(options["output"].absolute(), Script.of(options["phrases"]))
        except KeyboardInterrupt:
            self.stderr.write("Interrupted: what was started has ended.")
            raise SystemExit(INTERRUPTED) from None
        except TROUBLE as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error

    def _play(self, folder: Path, script: Script) -> None:
        started = time.perf_counter()
        screen = Screen(self.stdout)
        with ExitStack() as stack:
            stack.enter_context(surroundings.own_folder(folder))
            redis_url, redis = surroundings.start_redis(stack)
            stage = Stage(str(folder / surroundings.CACHE), redis_url)
            stack.callback(stage.close)
            report = Report(
                screen, Program(stage, script, Clips(folder / surroundings.CLIPS), screen)
            )
            report.opening(redis_url, redis)
            report.program.play()
            failed = report.closing(time.perf_counter() - started)
        if failed:
            raise CommandError(f"{failed} of the demo's claims did not hold: see NO above.")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError("must be a whole number above 0")
    return int(text)
