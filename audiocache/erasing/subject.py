"""What is to be erased: a tag, a text or keys, and what the database holds of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import Clip
from audiocache.erasing.report import Step
from audiocache.erasing.scopes import scopes_of
from audiocache.finding import entries, ready
from audiocache.models import RefusedClip, Tag
from audiocache.removals import KEY, TAGS, TEXT, Removal
from audiocache.tiers.sql.batches import batches


@dataclass(frozen=True, repr=False)
class Subject:
    """A selection of entries, and how a cache removes it. Without a repr: a tag may be a name."""

    removals: Sequence[Removal]
    """What each tier is asked to remove."""
    rows: Q
    """The entries of it."""
    refused: Q | None
    """Refused answers of it; None: those that have its tag, or a text that its entries have."""
    discard: Callable[[MultiTierAudioCache], bool]
    scope: Step | None = None
    """In which namespaces it was looked for, where none was named."""
    tag: str = ""


def of_tag(tag: str) -> Subject:
    """All entries with a tag."""
    tagged = Tag.objects.filter(tag=tag).values("key")
    return Subject(
        removals=[Removal(TAGS, tag)],
        rows=Q(key__in=tagged),
        refused=None,
        discard=lambda cache: cache.discard_tag(tag),
        tag=tag,
    )


def of_text(clip: Clip, *, every: bool) -> Subject:
    """A clip and its renditions, or `every` variant of its text in its namespace."""
    groups = (
        [Removal(TEXT, digest, clip.namespace) for digest in clip.digests]
        if every
        else [Removal("source_key", clip.source_key)]
    )
    one, all_ = Q(source_key=clip.source_key), Q(text_digest__in=clip.digests)
    return Subject(
        removals=[*(Removal(KEY, key) for key in clip.keys), *groups],
        rows=all_ & Q(namespace=clip.namespace) if every else one | Q(key=clip.legacy_key),
        refused=all_ & Q(namespace=clip.namespace) if every else one,
        discard=lambda cache: cache.discard(clip, all_variants=every),
    )


def of_text_everywhere(cache: MultiTierAudioCache, clip: Clip) -> Subject:
    """Every variant of a text, in all namespaces that the database or Redis knows."""
    names, hidden, told = scopes_of(cache, clip)
    parts = [of_text(dataclasses.replace(clip, namespace=name), every=True) for name in names]
    rows = Q(text_digest__in=clip.digests)

    def discard(cache: MultiTierAudioCache) -> bool:
        named = [part.discard(cache) for part in parts]
        return any([*named, *(cache.discard_text_in(*one) for one in hidden)])

    by_digest = [Removal(TEXT, text, scope, digested=True) for text, scope in hidden]
    return Subject(
        removals=[*(removal for part in parts for removal in part.removals), *by_digest],
        rows=rows,
        refused=rows,
        discard=discard,
        scope=told,
    )


def of_keys(keys: Sequence[str]) -> Subject:
    """Entries by key."""
    return Subject(
        removals=[Removal(KEY, key) for key in keys],
        rows=Q(key__in=keys),
        refused=Q(key__in=keys),
        discard=lambda cache: cache.discard_many(keys),
    )


def refused_of(subject: Subject) -> list[Q]:
    """Where its refused answers are; asked before its entries are gone."""
    if subject.refused is not None:
        return [subject.refused]
    texts = entries().filter(subject.rows).values_list("namespace", "text_digest").distinct()
    by_namespace: dict[str, list[str]] = {}
    for namespace, digest in texts:
        by_namespace.setdefault(namespace, []).append(digest)
    tagged = [Q(source_key__in=batch) for batch in batches(_refused_with(subject.tag))]
    return tagged + [
        Q(namespace=namespace, text_digest__in=batch)
        for namespace, digests in by_namespace.items()
        for batch in batches(digests)
    ]


def _refused_with(tag: str) -> Iterator[str]:
    """Source keys of refused answers. There are so few that all that have a tag are looked at."""
    rows = RefusedClip.objects.using(ready()).filter(tags__isnull=False)
    for source_key, tags in rows.values_list("source_key", "tags"):
        # As it stands there, between quotes.
        if json.dumps(tag) in tags:
            yield source_key


def forget_refused(where: Iterable[Q]) -> int:
    """Delete refused answers with their bytes; how many."""
    alias = ready()
    return sum(RefusedClip.objects.using(alias).filter(one).delete()[0] for one in where)
