"""manage.py tts_key create|list|revoke: the keys of the HTTP API."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from tts.access.callers import SCOPES, USUAL
from tts.access.models import ApiKey


class Command(BaseCommand):
    """Prints a new key alone, so that a script can take it; all else goes to stderr."""

    help = "Create, list and revoke the keys of the HTTP API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One of three verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="a new key, which is printed once")
        create.add_argument("name", help="whose it is")
        create.add_argument("--namespace", default="", help="its clips are its own")
        create.add_argument("--scope", action="append", choices=list(SCOPES), dest="scopes")
        create.add_argument("--daily-characters", type=_positive, metavar="N")
        create.add_argument("--days", type=_positive, help="until it expires")
        listing = verbs.add_parser("list", help="all keys, without their secrets")
        listing.add_argument("--json", action="store_true")
        revoke = verbs.add_parser("revoke", help="it opens no more, within a second")
        revoke.add_argument("key", help="its prefix, or its name where only one has it")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do what the verb says."""
        getattr(self, f"_{options['verb']}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        days = options["days"]
        key = ApiKey(
            name=options["name"],
            namespace=options["namespace"],
            scopes=options["scopes"] or list(USUAL),
            daily_characters=options["daily_characters"],
            expires=timezone.now() + timedelta(days=days) if days else None,
        )
        try:
            key.full_clean(exclude=["prefix", "digest"])
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(key.issue())
        self.stderr.write(f"{key}: shown once, and stored nowhere. Keep it now.")

    def _list(self, options: dict[str, Any]) -> None:
        rows = [_row(key) for key in ApiKey.objects.all()]
        if options["json"]:
            self.stdout.write(json.dumps(rows, default=str))
            return
        for row in rows:
            told = [f"{name}={value}" for name, value in row.items() if value not in (None, "")]
            self.stdout.write("  ".join(told))

    def _revoke(self, options: dict[str, Any]) -> None:
        asked = options["key"]
        found = list(ApiKey.objects.filter(Q(prefix=asked) | Q(name=asked), revoked=None)[:2])
        if len(found) != 1:
            raise CommandError("more than one key has this name" if found else "there is none")
        ApiKey.objects.filter(pk=found[0].pk).update(revoked=timezone.now())
        self.stderr.write(f"{found[0]}: revoked.")


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "namespace": key.namespace,
        "scopes": ",".join(key.scopes),
        "daily_characters": key.daily_characters,
        "used_today": key.used_on(timezone.now().date()),
        "expires": key.expires,
        "last_used": key.last_used,
        "revoked": key.revoked,
    }


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError("must be a whole number above 0")
    return int(text)
