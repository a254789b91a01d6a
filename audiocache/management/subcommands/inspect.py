"""audiocache inspect: one clip, where it lives and all that is known of it."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audiocache import finding
from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import PERSISTENT
from audiocache.entries import AudioEntry, Clip
from audiocache.management.describing import facts_of, holder, row_facts, row_summary, tier_rows
from audiocache.management.naming import add_variant_arguments, clip_from, has_variant
from audiocache.management.subcommand import Subcommand, add_json


class Inspect(Subcommand):
    """Counts no hit and fills no tier."""

    help = "Show where a clip lives and what is known of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The clip, and what to do with it."""
        parser.add_argument(
            "clip", metavar="KEY|TEXT", help="a key, its first 8 or more digits, or a text"
        )
        add_variant_arguments(parser)
        parser.add_argument("--save", metavar="FILE", help="write the sound to a file")
        parser.add_argument("--show-text", action="store_true", help="print the text as well")
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Look, print, save."""
        cache = get_audio_cache()
        clip = _clip(cache, options)
        found, tiers = holder(cache, clip)
        report = self._report(cache, clip, found, tiers)
        if found and options["show_text"]:
            report["text"] = found.text
        if found and options["save"]:
            save(Path(options["save"]), found.audio)
            report["saved"] = options["save"]
        self._print(report, as_json=options["json"])
        if found is None:
            raise CommandError("No tier has this clip.")

    def _report(
        self,
        cache: MultiTierAudioCache,
        clip: Clip,
        found: AudioEntry | None,
        tiers: dict[str, Any],
    ) -> dict[str, Any]:
        rows = PERSISTENT in cache.tiers
        entry = facts_of(found) | (row_facts(found.key) if rows else {}) if found else None
        others = finding.same_text(clip.text_digest) if rows and clip.text_digest else []
        return {
            "key": clip.key,
            "tiers": tiers,
            "entry": entry,
            "same_text": [row_summary(row) for row in others if row.key != clip.key],
        }

    def _print(self, report: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.out.json(report)
            return
        self.out.line(f"key: {report['key']}")
        columns = ("tier", "state", "created", "fresh until")
        self.out.table("Lives (memory is of this process)", columns, tier_rows(report["tiers"]))
        self.out.facts("Entry", (report["entry"] or {}).items())
        if "text" in report:
            self.out.line(f"text: {report['text'] or 'not stored'}")
        others = report["same_text"]
        if others:
            self.out.table("Same text", tuple(others[0]), [tuple(row.values()) for row in others])
        if "saved" in report:
            self.out.line(f"saved: {report['saved']}")


def _clip(cache: MultiTierAudioCache, options: dict[str, Any]) -> Clip:
    """By key where it can be one and nothing says that it is a text."""
    word = options["clip"]
    if has_variant(options) or not finding.is_key_prefix(word):
        return clip_from(word, options)
    low = word.strip().lower()
    if len(low) == 64:
        return Clip(low, "", "")
    keys = _keys(low) if PERSISTENT in cache.tiers else []
    if len(keys) > 1:
        raise CommandError(f"{len(keys)} or more keys begin with {low}: give more digits.")
    return Clip(keys[0], "", "") if keys else clip_from(word, options)


def _keys(prefix: str) -> list[str]:
    found = finding.entries().filter(finding.by_key(prefix)).order_by("key")
    return list(found.values_list("key", flat=True)[:2])


def save(path: Path, audio: bytes) -> None:
    """Write a file so that no reader sees half of it. Raises CommandError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(audio)
        part.replace(path)
    except OSError as error:
        raise CommandError(f"--save: cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
