"""What is to be erased: a tag, a text or keys, and what the database holds of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from django.db import DatabaseError
from django.db.models import Q

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import PERSISTENT
from audiocache.entries import Clip
from audiocache.erasing.report import DONE, KEPT, Step
from audiocache.finding import entries, ready
from audiocache.models import AudioCacheEntry, Charge, RefusedClip, Tag
from audiocache.removals import KEY, TAGS, TEXT, Removal

BATCH = 100
"""Digests in one statement."""


@dataclass(frozen=True, repr=False)
class Subject:
    """A selection of entries, and how a cache removes it. Without a repr: a tag may be a name."""

    removals: Sequence[Removal]
    """What each tier is asked to remove."""
    rows: Q
    """The entries of it."""
    refused: Q | None
    """Refused answers of it; None: those of the texts and sources that its entries have."""
    discard: Callable[[MultiTierAudioCache], bool]
    scope: Step | None = None
    """In which namespaces it was looked for, where none was named."""


def of_tag(tag: str) -> Subject:
    """All entries with a tag."""
    tagged = Tag.objects.filter(tag=tag).values("key")
    return Subject(
        removals=[Removal(TAGS, tag)],
        rows=Q(key__in=tagged),
        refused=None,
        discard=lambda cache: cache.discard_tag(tag),
    )


def of_text(clip: Clip, *, every: bool) -> Subject:
    """A clip and its renditions, or `every` variant of its text in its namespace."""
    keys = [key for key in (clip.key, clip.legacy_key) if key]
    groups = (
        [Removal(TEXT, digest, clip.namespace) for digest in clip.digests]
        if every
        else [Removal("source_key", clip.source_key)]
    )
    one, all_ = Q(source_key=clip.source_key), Q(text_digest__in=clip.digests)
    return Subject(
        removals=[*(Removal(KEY, key) for key in keys), *groups],
        rows=all_ & Q(namespace=clip.namespace) if every else one | Q(key=clip.legacy_key),
        refused=all_ & Q(namespace=clip.namespace) if every else one,
        discard=lambda cache: cache.discard(clip, all_variants=every),
    )


def of_text_everywhere(cache: MultiTierAudioCache, clip: Clip) -> Subject:
    """Every variant of a text, in all namespaces that the database knows."""
    known = _known_namespaces(cache)
    names = {clip.namespace} | (known or set())
    parts = [of_text(dataclasses.replace(clip, namespace=name), every=True) for name in names]
    rows = Q(text_digest__in=clip.digests)
    return Subject(
        removals=[removal for part in parts for removal in part.removals],
        rows=rows,
        refused=rows,
        discard=lambda cache: any([part.discard(cache) for part in parts]),  # noqa: C419 - all of them
        scope=_scope(len(names), known is not None),
    )


def _known_namespaces(cache: MultiTierAudioCache) -> set[str] | None:
    """Those of which there is an entry, a refused answer or a charge; None: there is no telling."""
    if PERSISTENT not in cache.tiers:
        return None
    tables = (AudioCacheEntry, RefusedClip, Charge)
    try:
        alias = ready()
        asked = [table.objects.using(alias).values_list("namespace", flat=True) for table in tables]
        return {name for rows in asked for name in rows.order_by().distinct()}
    except (DatabaseError, OSError):
        return None


def _scope(number: int, known: bool) -> Step:
    if known:
        return Step("namespaces", DONE, f"looked for in all {number:,} that the database knows")
    told = "without the database nobody knows their names; it was looked for outside of any"
    return Step("namespaces", KEPT, told, "the same with --namespace, for each of them")


def of_keys(keys: Sequence[str]) -> Subject:
    """Entries by key."""
    return Subject(
        removals=[Removal(KEY, key) for key in keys],
        rows=Q(key__in=keys),
        refused=Q(key__in=keys),
        discard=lambda cache: cache.discard_many(keys),
    )


def refused_of(subject: Subject) -> list[Q]:
    """Where its refused answers are; asked before its entries are gone.

    A refused answer has no tag: it is found by the text that an entry with the tag has.
    """
    if subject.refused is not None:
        return [subject.refused]
    texts = entries().filter(subject.rows).values_list("namespace", "text_digest").distinct()
    by_namespace: dict[str, list[str]] = {}
    for namespace, digest in texts:
        by_namespace.setdefault(namespace, []).append(digest)
    return [
        Q(namespace=namespace, text_digest__in=batch)
        for namespace, digests in by_namespace.items()
        for batch in _batches(digests)
    ]


def forget_refused(where: Iterable[Q]) -> int:
    """Delete refused answers with their bytes; how many."""
    alias = ready()
    return sum(RefusedClip.objects.using(alias).filter(one).delete()[0] for one in where)


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
