"""audiocache warm: speak phrases ahead of time, from files or from the admin."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from audiocache.management.subcommand import Subcommand, add_json
from tts.management.arguments import add_voice_arguments, voice_fields
from tts.management.interruption import INTERRUPTED, as_interruption, exit_code_of
from tts.management.plan import Plan, plan_of, shortfalls_of
from tts.management.progress import progress
from tts.management.quoting import tell
from tts.management.run import Run
from tts.phrases import FIELDS, Phrase, Reading, read
from tts.service import TTSService, get_tts_service
from tts.warming import Warming, stored_phrases, warm

SHOWN: Final = 50
"""Places that are listed when something is wrong with them."""


class Warm(Subcommand):
    """May be interrupted and run again: what is stored is skipped."""

    help = "Speak phrases ahead of time and store them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where the phrases are, and how they are to sound."""
        parser.add_argument(
            "files",
            nargs="*",
            metavar="FILE",
            help="text, one phrase a line; .csv with a header or .jsonl, with the fields "
            f"{FIELDS}; or a gettext .po",
        )
        parser.add_argument("--phrases", action="store_true", help="those kept in the admin")
        add_voice_arguments(parser)
        parser.add_argument("--limit", type=int, metavar="N", help="make at most N clips")
        parser.add_argument("--source", action="store_true", help=".po: untranslated msgid too")
        parser.add_argument("--placeholders", action="store_true", help=".po: keep %%s and {name}")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what it would cost, and make nothing"
        )
        parser.add_argument("--force", action="store_true", help="also what does not fit")
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Read, look what is missing, make it, tell."""
        _check(options)
        service = get_tts_service()
        reading = _read(options)
        plan = _plan(service, reading, options["namespace"])
        self._refuse(service, reading, plan, options)
        if options["dry_run"]:
            tell(self.out, plan, service, options["namespace"], as_json=options["json"])
            return
        run = Run(plan, reading.left_out)
        self._go(run, service, options["namespace"])
        self._tell(run, as_json=options["json"])
        _end(run)

    def _refuse(
        self, service: TTSService, reading: Reading, plan: Plan, options: dict[str, Any]
    ) -> None:
        if not service.cache.config.enable_warming:
            raise CommandError("CACHE_ENABLE_WARMING is false: warming is switched off.")
        if plan.refused and len(plan.refused) == len(reading.phrases):
            raise CommandError(_listed("No phrase can be spoken", plan.refused))
        plan.cut(options["limit"])
        if not (options["force"] or options["dry_run"]):
            _refuse_what_does_not_fit(service, plan)
        if not any(tier.shared for tier in service.cache.tiers.values()):
            self.err.line("CACHE_BACKEND is memory: the clips are gone when this process ends.")

    def _go(self, run: Run, service: TTSService, namespace: str) -> None:
        with progress(self.err, len(run.plan.missing)) as advance:

            def note(warming: Warming) -> None:
                run.note(warming)
                advance(warming.done)

            try:
                with as_interruption():
                    run.note(warm(run.requests(), note, service=service, namespace=namespace))
            except KeyboardInterrupt as interruption:
                run.interrupted = exit_code_of(interruption)

    def _tell(self, run: Run, *, as_json: bool) -> None:
        report = run.report()
        if as_json:
            self.out.json(report)
            return
        facts = [(name, value) for name, value in report.items() if isinstance(value, int)]
        self.out.facts("Phrases", facts)
        self.out.facts("Left out of catalogues", report["left_out"].items())
        self.out.facts("Failed", report["errors"].items())
        if run.failures:
            self.err.line(_listed("These failed", run.failures))


def _check(options: dict[str, Any]) -> None:
    if not (options["files"] or options["phrases"]):
        raise CommandError("Give a FILE, or --phrases for those kept in the admin.")
    if options["limit"] is not None and options["limit"] < 1:
        raise CommandError(f"--limit must be at least 1, not {options['limit']}")


def _read(options: dict[str, Any]) -> Reading:
    """All phrases of all files. Raises CommandError that lists every problem."""
    defaults = voice_fields(options)
    reading = Reading(defaults, options["placeholders"], options["source"])
    for name in options["files"]:
        read(Path(name), reading)
    if options["phrases"]:
        reading.phrases += _kept(defaults)
    if reading.problems:
        raise CommandError(_listed("Nothing was done", reading.problems))
    return reading


def _plan(service: TTSService, reading: Reading, namespace: str) -> Plan:
    try:
        return plan_of(service, reading.phrases, namespace)
    except KeyboardInterrupt:
        raise CommandError("Interrupted before the first.", returncode=INTERRUPTED) from None


def _kept(defaults: dict[str, Any]) -> Iterator[Phrase]:
    """The admin's phrases; what one does not say itself comes from the options."""
    for number, request in enumerate(stored_phrases(), 1):
        unsaid = {name: value for name, value in defaults.items() if not getattr(request, name)}
        yield Phrase(replace(request, **unsaid), f"admin phrase {number}")


def _refuse_what_does_not_fit(service: TTSService, plan: Plan) -> None:
    if found := shortfalls_of(service, plan):
        raise CommandError(
            "The phrases do not fit: the least recently used clips would be evicted for them. "
            + "; ".join(found)
            + ". Raise the limit, take fewer with --limit, or add --force."
        )


def _end(run: Run) -> None:
    """Raise CommandError with the exit code when not all is well."""
    if run.interrupted:
        raise CommandError(
            f"Interrupted with {run.left:,} to do: run it again to go on.",
            returncode=run.interrupted,
        )
    if reason := run.warming.stopped_by:
        raise CommandError(f"{reason}: it was useless to go on, {run.left:,} not done.")
    if run.failures:
        raise CommandError(f"{len(run.failures):,} failed.")


def _listed(title: str, lines: list[str]) -> str:
    more = [f"... and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return "\n".join([f"{title}:", *lines[:SHOWN], *more])
