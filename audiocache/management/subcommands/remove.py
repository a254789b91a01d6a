"""audiocache remove: one clip with its renditions, a text's every variant, a tag, or keys."""

from __future__ import annotations

import re
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any, Final

from django.core.management.base import CommandError

from audiocache import erasing, finding
from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import PERSISTENT
from audiocache.entries import Clip
from audiocache.erasing import Report, Subject
from audiocache.management.asking import confirm
from audiocache.management.describing import row_summary
from audiocache.management.naming import add_variant_arguments, clip_from
from audiocache.management.subcommand import Subcommand, add_json, add_yes
from audiocache.models import AudioCacheEntry

SHOWN: Final = 20
_KEY: Final = re.compile(r"[0-9a-f]{64}")


class Remove(Subcommand):
    """From every tier."""

    help = "Remove a text's clip, all its variants, a tag, or clips by key, from every tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What goes."""
        parser.add_argument("text", nargs="?", metavar="TEXT")
        parser.add_argument("--tag", help="all entries that have it")
        parser.add_argument("--key", action="append", default=[], help="may be given repeatedly")
        parser.add_argument("--all-variants", action="store_true", help="whatever the variant")
        add_variant_arguments(parser)
        parser.set_defaults(namespace=None)  # none is named: an erasure looks for all
        parser.add_argument(
            "--erase",
            action=BooleanOptionalAction,
            help="rewrite the files that keep deleted sound, and report; with --tag it is on",
        )
        add_yes(parser)
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Say what goes, ask, remove."""
        if sum((options["text"] is not None, bool(options["key"]), bool(options["tag"]))) != 1:
            raise CommandError("Give either a TEXT, a --tag or --key.")
        erases = options["erase"] if options["erase"] is not None else bool(options["tag"])
        if options["json"] and not erases:
            raise CommandError("--json prints the report of --erase.")
        cache = get_audio_cache()
        subject, what = _subject(cache, options, erases=erases)
        if not options["json"]:
            self._show(cache, subject)
        confirm(self.out, f"Remove {what} from every tier?", yes=options["yes"])
        if erases:
            self._erase(cache, subject, as_json=options["json"])
        else:
            self._remove(cache, subject, options)

    def _remove(
        self, cache: MultiTierAudioCache, subject: Subject, options: dict[str, Any]
    ) -> None:
        removed = subject.discard(cache)
        if not removed and options["text"] is not None and not options["all_variants"]:
            self._hint(cache, clip_from(options["text"], options))
        self.out.line("Removed." if removed else "No tier had it.")

    def _erase(self, cache: MultiTierAudioCache, subject: Subject, *, as_json: bool) -> None:
        report = erasing.erase(cache, subject)
        if as_json:
            self.out.json(report.facts())
        else:
            self._report(report)
        if report.failed:
            raise CommandError("Not all of it is erased yet: see what is pending.")

    def _report(self, report: Report) -> None:
        self.out.line("Removed." if report.removed else "No tier had it.")
        for step in report.steps:
            self.out.line(f"{step.state}: {step.place}: {step.told}.")
            if step.type_:
                self.out.line(f"    type: {step.type_}")

    def _show(self, cache: MultiTierAudioCache, subject: Subject) -> None:
        """What the table has of it; the other tiers are asked when it is removed."""
        if PERSISTENT not in cache.tiers:
            return
        rows = finding.entries().filter(subject.rows)
        found = [row_summary(row) for row in rows.order_by("-id")[: SHOWN + 1]]
        more = " and more" if len(found) > SHOWN else ""
        number = min(len(found), SHOWN)
        self.out.line(f"The database has {number}{more} of it.")
        if found:
            rows_shown = [tuple(row.values()) for row in found[:SHOWN]]
            self.out.table("Entries", tuple(found[0]), rows_shown)

    def _hint(self, cache: MultiTierAudioCache, clip: Clip) -> None:
        others: list[AudioCacheEntry] = []
        if PERSISTENT in cache.tiers:
            others = [row for digest in clip.digests for row in finding.same_text(digest)]
        if others:
            self.out.line(
                f"The text has other variants ({len(others)} found): name one with --variant, "
                "or remove them all with --all-variants."
            )


def _subject(
    cache: MultiTierAudioCache, options: dict[str, Any], *, erases: bool
) -> tuple[Subject, str]:
    """What goes, and in words that hold neither text nor tag."""
    if options["tag"]:
        return erasing.of_tag(options["tag"]), "all entries with the tag"
    if keys := [_checked(key) for key in options["key"]]:
        return erasing.of_keys(keys), f"{len(keys)} by key"
    clip, every = clip_from(options["text"], options), options["all_variants"]
    if erases and every and options["namespace"] is None:
        everywhere = erasing.of_text_everywhere(cache, clip)
        return everywhere, "all variants of the text, in all namespaces,"
    what = "all variants of the text" if every else "this variant and its renditions"
    return erasing.of_text(clip, every=every), what


def _checked(key: str) -> str:
    low = key.strip().lower()
    if not _KEY.fullmatch(low):
        raise CommandError(f"--key must be 64 hex digits, not {len(key)} characters")
    return low
