"""The tables. Instants are milliseconds since the epoch; costs are millionths of the unit.

They live on the cache's own database alias: see `audiocache.cache_model`.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audiocache.cache_model import CacheManager, CacheModel
from audiocache.entries import NEVER
from audiocache.ledger_models import Account, CallLatency, Charge, Purchase, Spent
from audiocache.rows import SCHEMA_VERSION

__all__ = [
    "Account",
    "AudioCacheEntry",
    "CallLatency",
    "Charge",
    "Count",
    "EntryQuerySet",
    "Lease",
    "Purchase",
    "RefusedClip",
    "Removal",
    "Spent",
    "State",
    "Tag",
    "Total",
]


class EntryQuerySet(models.QuerySet["AudioCacheEntry"]):
    """Named questions to the entries."""

    def without_audio(self) -> EntryQuerySet:
        """Everything but the sound and its timings: for lists."""
        return self.defer("audio", "timings")


class AudioCacheEntry(CacheModel):
    """One clip. Written with fixed SQL by the persistent tier, read here by people."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(_("key"), max_length=64, unique=True)
    namespace = models.TextField(_("namespace"), default="", blank=True)
    text_digest = models.CharField(_("text digest"), max_length=64, db_index=True)
    text = models.TextField(_("text"), null=True, blank=True)  # noqa: DJ001 - null: not stored
    variant = models.TextField(_("variant"), default="", blank=True)
    provider = models.TextField(_("provider"), default="", blank=True)
    model = models.TextField(_("model"), default="", blank=True)
    voice = models.TextField(_("voice"), default="", blank=True)
    language = models.TextField(_("language"), default="", blank=True)
    content_type = models.TextField(_("content type"), default="", blank=True)
    size = models.BigIntegerField(_("bytes"))
    duration_ms = models.BigIntegerField(_("duration (ms)"), null=True, blank=True)
    storage_name = models.TextField(default="", blank=True)
    checksum = models.BigIntegerField()
    audio_sha256 = models.CharField(max_length=64, default="", blank=True)
    source_key = models.CharField(max_length=64, db_index=True)
    transcoded_from = models.CharField(max_length=64, default="", blank=True)
    created = models.BigIntegerField(_("created"))
    expires = models.BigIntegerField(_("expires"), default=NEVER)
    keep_until = models.BigIntegerField(_("kept until"), default=NEVER, db_index=True)
    used = models.BigIntegerField(_("last used"))
    hits = models.BigIntegerField(_("hits"), default=0)
    pinned = models.BooleanField(_("pinned"), default=False)
    revision = models.BigIntegerField(default=1)
    cost = models.BigIntegerField(_("cost"), null=True, blank=True)
    billed_units = models.BigIntegerField(_("billed units"), null=True, blank=True)
    tags = models.TextField(_("tags"), default="", blank=True)
    schema_version = models.SmallIntegerField(default=SCHEMA_VERSION)
    timings = models.TextField(default="", blank=True)
    # Last, so that a look at the other columns does not walk through the pages of the sound.
    audio = models.BinaryField(null=True)

    objects: ClassVar[CacheManager] = CacheManager.from_queryset(EntryQuerySet)()

    class Meta:
        db_table = "audiocache_entry"
        verbose_name = _("audio cache entry")
        verbose_name_plural = _("audio cache entries")
        indexes = [
            # The order of eviction; pinned entries are not in it.
            models.Index(fields=["used", "id"], condition=Q(pinned=False), name="audiocache_lru"),
            models.Index(fields=["id"], condition=Q(pinned=True), name="audiocache_pinned"),
            models.Index(fields=["expires"], name="audiocache_expires"),
            models.Index(fields=["provider", "model", "voice"], name="audiocache_voice"),
        ]
        permissions = [("view_text", _("Can see the texts of audio cache entries"))]

    def __str__(self) -> str:
        return self.key[:12]


class Tag(CacheModel):
    """A tag of an entry. Deleted with the entry, by a trigger."""

    id = models.BigAutoField(primary_key=True)
    tag = models.TextField()
    key = models.CharField(max_length=64, db_index=True)

    class Meta:
        db_table = "audiocache_tag"
        constraints = [
            models.UniqueConstraint(fields=["tag", "key"], name="audiocache_tag_of_entry")
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.key[:12]}"


class Total(CacheModel):
    """Entries and bytes, kept by triggers; the sum over the slots is the total.

    PostgreSQL spreads writers over sixteen slots so that they do not wait for each other.
    """

    slot = models.SmallIntegerField(primary_key=True)
    entries = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)

    class Meta:
        db_table = "audiocache_total"

    def __str__(self) -> str:
        return f"{self.entries} entries, {self.bytes} bytes"


class Removal(CacheModel):
    """The removal log: what others drop; `kind` is key, text_digest, source_key, tags or all, or
    `replaced`: of a key, what is older.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=16)
    value = models.TextField(default="")

    class Meta:
        db_table = "audiocache_removal"

    def __str__(self) -> str:
        return f"{self.kind} {self.value[:12]}"


class Lease(CacheModel):
    """Who does a thing that only one may do; held until `deadline`."""

    name = models.CharField(max_length=200, primary_key=True)
    owner = models.CharField(max_length=64)
    deadline = models.BigIntegerField(db_index=True)
    outcome = models.TextField(default="")

    class Meta:
        db_table = "audiocache_lease"

    def __str__(self) -> str:
        return self.name


class Count(CacheModel):
    """A counter of the whole installation: `period` (ms) begins an hour, a day, or is 0."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=200)
    resolution = models.CharField(max_length=1)
    """a: all time; h: hour; d: day."""
    period = models.BigIntegerField(default=0)
    value = models.BigIntegerField(default=0)

    class Meta:
        db_table = "audiocache_count"
        constraints = [
            models.UniqueConstraint(
                fields=["resolution", "period", "name"], name="audiocache_count_of_period"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class State(CacheModel):
    """A fact about the cache's database, such as how far an import has come."""

    name = models.CharField(max_length=100, primary_key=True)
    value = models.TextField(default="")

    class Meta:
        db_table = "audiocache_state"

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class RefusedClip(CacheModel):
    """An answer that was no sound: why, until when it is not asked for again, and its bytes.

    One row for what is paid for. The bytes are there while `kept`: a bounded quarantine for
    people to listen to. Written with fixed SQL by `audiocache.refused`.
    """

    id = models.BigAutoField(primary_key=True)
    source_key = models.CharField(max_length=64, unique=True)
    key = models.CharField(_("key"), max_length=64)
    namespace = models.TextField(_("namespace"), default="", blank=True)
    text_digest = models.CharField(_("text digest"), max_length=64, db_index=True)
    text = models.TextField(_("text"), null=True, blank=True)  # noqa: DJ001 - null: not stored
    variant = models.TextField(_("variant"), default="", blank=True)
    provider = models.TextField(_("provider"), default="", blank=True)
    model = models.TextField(_("model"), default="", blank=True)
    voice = models.TextField(_("voice"), default="", blank=True)
    language = models.TextField(_("language"), default="", blank=True)
    reason = models.TextField(_("reason"))
    times = models.IntegerField(_("times"), default=1)
    since = models.BigIntegerField(_("since"))
    refused = models.BigIntegerField(_("refused"))
    until = models.BigIntegerField(_("until"), db_index=True)
    content_type = models.TextField(_("content type"), default="", blank=True)
    size = models.BigIntegerField(_("bytes"), default=0)
    duration_ms = models.BigIntegerField(_("duration (ms)"), null=True, blank=True)
    cost = models.BigIntegerField(_("cost"), null=True, blank=True)
    billed_units = models.BigIntegerField(_("billed units"), null=True, blank=True)
    timings = models.TextField(default="", blank=True)
    checksum = models.BigIntegerField(default=0)
    kept = models.BooleanField(_("kept"), default=False)
    audio = models.BinaryField(null=True)
    # Null: an earlier release writes rows without.
    tags = models.TextField(_("tags"), null=True, blank=True)  # noqa: DJ001 - see above

    class Meta:
        db_table = "audiocache_refused"
        verbose_name = _("refused clip")
        verbose_name_plural = _("refused clips")
        indexes = [
            models.Index(fields=["refused", "id"], name="audiocache_refused_at"),
            models.Index(
                fields=["refused", "id"], condition=Q(kept=True), name="audiocache_quarantine"
            ),
        ]

    def __str__(self) -> str:
        return self.key[:12]
