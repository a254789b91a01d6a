"""audiocache remove: one clip with its renditions, a text's every variant, or keys."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import CommandError
from django.db.models import Q

from audiocache import finding
from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import PERSISTENT
from audiocache.entries import Clip
from audiocache.management.asking import confirm
from audiocache.management.describing import row_summary
from audiocache.management.naming import add_variant_arguments, clip_from
from audiocache.management.subcommand import Subcommand, add_yes
from audiocache.models import AudioCacheEntry, EntryQuerySet

SHOWN: Final = 20
_KEY: Final = re.compile(r"[0-9a-f]{64}")


class Remove(Subcommand):
    """From every tier."""

    help = "Remove a text's clip, all its variants, or clips by key, from every tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What goes."""
        parser.add_argument("text", nargs="?", metavar="TEXT")
        parser.add_argument("--key", action="append", default=[], help="may be given repeatedly")
        parser.add_argument("--all-variants", action="store_true", help="whatever the variant")
        add_variant_arguments(parser)
        add_yes(parser)

    def handle(self, **options: Any) -> None:
        """Say what goes, ask, remove."""
        if (options["text"] is None) == (not options["key"]):
            raise CommandError("Give either a TEXT or --key.")
        cache = get_audio_cache()
        removed = self._by_key(cache, options) if options["key"] else self._by_text(cache, options)
        self.out.line("Removed." if removed else "No tier had it.")

    def _by_key(self, cache: MultiTierAudioCache, options: dict[str, Any]) -> bool:
        keys = [_checked(key) for key in options["key"]]
        self._show(cache, finding.entries().filter(key__in=keys))
        confirm(self.out, f"Remove {len(keys)} by key from every tier?", yes=options["yes"])
        return cache.discard_many(keys)

    def _by_text(self, cache: MultiTierAudioCache, options: dict[str, Any]) -> bool:
        clip = clip_from(options["text"], options)
        every = options["all_variants"]
        self._show(cache, _rows_of(clip, every=every))
        what = "all variants of the text" if every else "this variant and its renditions"
        confirm(self.out, f"Remove {what} from every tier?", yes=options["yes"])
        removed = cache.discard(clip, all_variants=every)
        if not removed and not every:
            self._hint(cache, clip)
        return removed

    def _show(self, cache: MultiTierAudioCache, rows: EntryQuerySet) -> None:
        """What the table has of it; the other tiers are asked when it is removed."""
        if PERSISTENT not in cache.tiers:
            return
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


def _rows_of(clip: Clip, *, every: bool) -> EntryQuerySet:
    rows = finding.entries()
    if every:
        return rows.filter(text_digest__in=clip.digests, namespace=clip.namespace)
    return rows.filter(Q(source_key=clip.source_key) | Q(key=clip.legacy_key))


def _checked(key: str) -> str:
    low = key.strip().lower()
    if not _KEY.fullmatch(low):
        raise CommandError(f"--key must be 64 hex digits, not {len(key)} characters")
    return low
