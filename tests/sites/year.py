"""Run by itself on a site's settings: its cache has 100,000 entries and a year of hourly rows."""

from __future__ import annotations

import django

django.setup()

from django.db import connections, transaction

from audiocache import finding
from audiocache.clock import now_ms
from tests.tts.years import live

if __name__ == "__main__":
    alias = finding.ready()
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        live(cursor, now_ms(), entries=100_000)
