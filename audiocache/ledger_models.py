"""The tables of money: what was paid, for what, and what of it had been paid for before.

Amounts are millionths of the currency's unit, instants milliseconds. Never a text. Written
with fixed SQL by `audiocache.ledger`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audiocache.cache_model import CacheModel
from audiocache.charges import BEGUN


class Charge(CacheModel):
    """One paid attempt, written before it is made and settled when it has ended."""

    id = models.BigAutoField(primary_key=True)
    call = models.CharField(max_length=32, unique=True)
    """Its own name: what is written twice counts once."""
    at = models.BigIntegerField(_("at"), db_index=True)
    source_key = models.CharField(_("source"), max_length=64)
    namespace = models.TextField(_("namespace"), default="", blank=True)
    provider = models.TextField(_("provider"), default="", blank=True)
    model = models.TextField(_("model"), default="", blank=True)
    voice = models.TextField(_("voice"), default="", blank=True)
    outcome = models.CharField(_("outcome"), max_length=64, default=BEGUN)
    number = models.IntegerField(_("attempt"), default=1)
    latency_ms = models.BigIntegerField(_("latency (ms)"), null=True, blank=True)
    units = models.BigIntegerField(_("units"), default=0)
    unit = models.CharField(_("unit"), max_length=16, default="", blank=True)
    characters = models.BigIntegerField(_("characters"), default=0)
    cost = models.BigIntegerField(_("cost"), null=True, blank=True)
    """None: what it costs is not known."""
    estimated = models.BooleanField(_("estimated"), default=False)
    cause = models.CharField(_("paid again because"), max_length=16, default="", blank=True)

    class Meta:
        db_table = "audiocache_charge"
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        indexes = [models.Index(fields=["at"], condition=Q(outcome=BEGUN), name="audiocache_begun")]

    def __str__(self) -> str:
        return f"{self.provider} {self.outcome} {self.cost}"


class Purchase(CacheModel):
    """What was paid for, by source key, and why it is gone where that is known."""

    source_key = models.CharField(max_length=64, primary_key=True)
    first = models.BigIntegerField()
    """Paid for first."""
    paid = models.BigIntegerField(db_index=True)
    """Paid for last."""
    times = models.BigIntegerField(default=1)
    cost = models.BigIntegerField(null=True)
    """The last time."""
    size = models.BigIntegerField(default=0)
    """Bytes."""
    expires = models.BigIntegerField()
    """The end of the life of what was bought."""
    gone = models.CharField(max_length=16, default="", blank=True)
    """evicted or removed, since; cache_off: it was never to be stored."""
    gone_at = models.BigIntegerField(null=True)

    class Meta:
        db_table = "audiocache_purchase"

    def __str__(self) -> str:
        return f"{self.source_key[:12]} {self.times}"


class Account(CacheModel):
    """Sums of charges by hour (h) and day (d), begun ones too: no page adds up charges."""

    id = models.BigAutoField(primary_key=True)
    resolution = models.CharField(max_length=1)
    period = models.BigIntegerField()
    provider = models.TextField(default="", blank=True)
    model = models.TextField(default="", blank=True)
    voice = models.TextField(default="", blank=True)
    outcome = models.CharField(max_length=64)
    cause = models.CharField(max_length=16, default="", blank=True)
    calls = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)
    """Calls that were billed, and whose price is not known."""
    estimated = models.BigIntegerField(default=0)
    """The part of the cost that is an estimate."""
    units = models.BigIntegerField(default=0)
    characters = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)
    age_ms = models.BigIntegerField(default=0)
    """The longest time since the first purchase of what was paid for again."""

    class Meta:
        db_table = "audiocache_account"
        constraints = [
            models.UniqueConstraint(
                fields=["resolution", "period", "provider", "model", "voice", "outcome", "cause"],
                name="audiocache_account_of_period",
            )
        ]

    def __str__(self) -> str:
        return f"{self.resolution}{self.period} {self.provider} {self.outcome} {self.cost}"


class CallLatency(CacheModel):
    """How long calls took: their number by bucket of `audiocache.stats`, by hour and day."""

    id = models.BigAutoField(primary_key=True)
    resolution = models.CharField(max_length=1)
    period = models.BigIntegerField()
    provider = models.TextField(default="", blank=True)
    model = models.TextField(default="", blank=True)
    bucket = models.SmallIntegerField()
    calls = models.BigIntegerField(default=0)

    class Meta:
        db_table = "audiocache_call_latency"
        constraints = [
            models.UniqueConstraint(
                fields=["resolution", "period", "provider", "model", "bucket"],
                name="audiocache_latency_of_period",
            )
        ]

    def __str__(self) -> str:
        return f"{self.resolution}{self.period} {self.provider} {self.bucket}: {self.calls}"


class Spent(CacheModel):
    """What a day or a month (UTC) has cost, for limits that hold over all processes."""

    name = models.CharField(max_length=16, primary_key=True)
    """Such as 2026-11-22 and 2026-11."""
    characters = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)

    class Meta:
        db_table = "audiocache_spent"

    def __str__(self) -> str:
        return f"{self.name} {self.cost}"
