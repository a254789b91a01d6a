"""audiocache explain: what a request means to the cache, and what would answer it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audiocache import finding
from audiocache.conf import PERSISTENT
from audiocache.entries import Clip
from audiocache.management.describing import holder, row_summary, tier_rows
from audiocache.management.subcommand import Subcommand, add_json
from audiocache.models import AudioCacheEntry
from tts.exceptions import InvalidSpeechRequest
from tts.management.arguments import add_request_arguments, request_of
from tts.service import TTSService, get_tts_service
from tts.speech import SpeechRequest


class Explain(Subcommand):
    """Asks no provider, counts no hit and fills no tier."""

    help = "Show a request's key, where its clip lives, and near misses."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The request."""
        add_request_arguments(parser)
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Look and print."""
        service = get_tts_service()
        try:
            request = service.complete(request_of(options)).spoken()
            clip = request.clip(options["namespace"])
        except InvalidSpeechRequest as error:
            raise CommandError(str(error)) from error
        report = explained(service, request, clip)
        if options["json"]:
            self.out.json(report)
        else:
            self._print(report)

    def _print(self, report: dict[str, Any]) -> None:
        self.out.facts("Request", [("text", report["text"]), *report["request"].items()])
        names = ("variant", "key", "source_key", "state", "answer")
        self.out.facts("Clip", [(name, report[name]) for name in names])
        columns = ("tier", "state", "created", "fresh until")
        self.out.table("Lives (memory is of this process)", columns, tier_rows(report["tiers"]))
        near = [
            (each["key"], each["state"], each["same_source"], _difference(each["differs"]))
            for each in report["near_misses"]
        ]
        columns_of_near = ("key", "state", "same source", "differs")
        self.out.table("Near misses: the same text", columns_of_near, near)


def explained(service: TTSService, request: SpeechRequest, clip: Clip) -> dict[str, Any]:
    """All that `explain` has to say of a complete request."""
    found, tiers = holder(service.cache, clip)
    lives = [life for life in tiers.values() if isinstance(life, dict)]
    states = {life["state"] for life in lives}
    state = next((name for name in ("fresh", "stale", "expired") if name in states), "missing")
    on_miss = _on_miss(request)
    return {
        "text": request.text,
        "request": request.variant,
        "namespace": clip.namespace,
        "variant": clip.variant,
        "key": clip.key,
        "source_key": clip.source_key,
        "state": state,
        "answer": _answer(tiers) or _sentence(on_miss),
        "tiers": tiers,
        "expires": max((life["expires"] or "never" for life in lives), default=None),
        "content_type": found.content_type if found else None,
        "on_miss": on_miss,
        "near_misses": _near_misses(service, clip),
    }


def _answer(tiers: dict[str, Any]) -> str | None:
    """The first tier on the way down that has it fresh."""
    for name, life in tiers.items():
        if isinstance(life, dict) and life["state"] == "fresh":
            return name
    return None


def _on_miss(request: SpeechRequest) -> dict[str, Any]:
    """What would be called."""
    return {
        "provider": request.provider,
        "model": request.model,
        "voice": request.voice,
        "characters": len(request.text),
    }


def _sentence(call: dict[str, Any]) -> str:
    which = ", ".join(call[name] for name in ("provider", "model", "voice") if call[name])
    return f"a call to {which} with {call['characters']:,} characters"


def _near_misses(service: TTSService, clip: Clip) -> list[dict[str, Any]]:
    if PERSISTENT not in service.cache.tiers:
        return []
    asked = clip.stored_variant(store_text=service.cache.config.store_text)
    rows = finding.same_text(clip.text_digest, finding.NEIGHBOURS + 1)
    others = [row for row in rows if row.key != clip.key]
    return [_near_miss(row, clip, asked) for row in others[: finding.NEIGHBOURS]]


def _near_miss(row: AudioCacheEntry, clip: Clip, variant: str) -> dict[str, Any]:
    asked = json.loads(variant or "{}") | {"namespace": clip.namespace}
    held = json.loads(row.variant or "{}") | {"namespace": row.namespace}
    names = sorted(name for name in {*asked, *held} if asked.get(name) != held.get(name))
    return row_summary(row) | {
        "same_source": row.source_key == clip.source_key,
        "differs": {name: {"asked": asked.get(name), "held": held.get(name)} for name in names},
    }


def _difference(differs: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{name}: {_plain(pair['held'])} instead of {_plain(pair['asked'])}"
        for name, pair in differs.items()
    )


def _plain(value: object) -> str:
    return "nothing" if value in (None, "") else str(value)
