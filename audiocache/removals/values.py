"""What is removed, as a value and as a row of a log. No tag and no namespace stands in a row."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from audiocache.entries import NEVER, AudioEntry

ALL: Final = "all"
KEY: Final = "key"
TEXT: Final = "text_digest"
SOURCE: Final = "source_key"
TAGS: Final = "tags"
REPLACED: Final = "replaced"
"""In a log only: a key whose entries from before the new one are to go."""

BEGUN: Final = "begun"
"""In a stream only: it removes nothing, and shows that the log has moved on."""

SKEW_MS: Final = 60_000
"""How far the clocks of two hosts may be apart: who hears of a removal late keeps what was
stored later than this after it."""
IN_A_ROW: Final = 100
"""Removals that one row tells of."""


class Row(NamedTuple):
    """Removals of one kind as a log holds them; `at` is when, in ms."""

    kind: str
    value: str
    at: int


class Removal(NamedTuple):
    """All entries, or those whose `field` is or holds `value`."""

    field: str
    value: str = ""
    namespace: str = ""
    before: int = NEVER
    """Entries created then (ms) or later stay."""
    digested: bool = False
    """It comes out of a log: tag and namespace are digests."""

    def concerns(self, entry: AudioEntry) -> bool:
        """Does it remove this entry?"""
        if entry.created >= self.before:
            return False
        if self.field == ALL:
            return True
        if self.field == TAGS:
            return self.value in self._shown(entry.tags)
        # A text is removed in its namespace; keys have theirs in them.
        in_scope = self.field != TEXT or self.namespace in self._shown([entry.namespace])
        return bool(getattr(entry, self.field) == self.value) and in_scope

    def _shown(self, names: Iterable[str]) -> Iterable[str]:
        return map(digest, names) if self.digested else names

    def heard_late(self, at: int) -> Removal:
        """As it is applied by who was not there: what came after it stays."""
        return self._replace(before=min(self.before, at + SKEW_MS))


class Groups:
    """Removals of more than a key, found by what an entry shows of itself: looking costs the
    same however many they are.
    """

    def __init__(self, removals: Iterable[Removal]) -> None:
        self._by_name: defaultdict[tuple[str, str], list[Removal]] = defaultdict(list)
        for removal in removals:
            self._by_name[removal.field, removal.value].append(removal)
        self._of_tags = any(field == TAGS for field, _ in self._by_name)

    def concern(self, entry: AudioEntry) -> bool:
        """Does one of them remove this entry?"""
        found = (self._by_name.get(name, ()) for name in self._names(entry))
        return any(removal.concerns(entry) for some in found for removal in some)

    def _names(self, entry: AudioEntry) -> Iterator[tuple[str, str]]:
        yield ALL, ""
        yield TEXT, entry.text_digest
        yield SOURCE, entry.source_key
        for tag in entry.tags if self._of_tags else ():
            yield TAGS, tag
            yield TAGS, digest(tag)


def digest(name: str) -> str:
    """What stands for a tag or a namespace, which may be a person's name; empty for none."""
    return hashlib.sha256(name.encode()).hexdigest()[:32] if name else ""


def rows_of(removals: Sequence[Removal], at: int) -> Iterator[Row]:
    """The rows that tell of removals made now (ms)."""
    for kind in dict.fromkeys(map(_kind, removals)):
        values = iter([_value(removal) for removal in removals if _kind(removal) == kind])
        while part := list(islice(values, IN_A_ROW)):
            yield Row(kind, ",".join(part), at)


def removals_in(row: Row) -> Iterator[Removal]:
    """What a row tells of; of a kind that a later release writes, nothing. Nor where it is
    damaged: who stumbled over it would have nothing below memory until it is trimmed.
    """
    if row.kind == ALL:
        yield Removal(ALL, digested=True)
    elif row.kind in {KEY, TEXT, SOURCE, TAGS}:
        for value, _, namespace in (part.partition(":") for part in row.value.split(",")):
            yield Removal(row.kind, value, namespace, digested=True)
    elif row.kind == REPLACED:
        for key, _, created in (part.partition(":") for part in row.value.split(",")):
            if created.isascii() and created.isdigit():
                yield Removal(KEY, key, before=int(created), digested=True)


def concern(rows: Iterable[Row], entries: Sequence[AudioEntry]) -> bool:
    """Does a row tell of one of these entries?"""
    told = [removal for row in rows for removal in removals_in(row)]
    return any(removal.concerns(entry) for removal in told for entry in entries)


def heard_late(rows: Iterable[Row]) -> list[Removal]:
    """What rows tell of, as it is applied by who was not there."""
    return [removal.heard_late(row.at) for row in rows for removal in removals_in(row)]


def _kind(removal: Removal) -> str:
    replaced = removal.field == KEY and removal.before != NEVER
    return REPLACED if replaced else removal.field


def _value(removal: Removal) -> str:
    if removal.before != NEVER:
        return f"{removal.value}:{removal.before}"
    hidden = (lambda name: name) if removal.digested else digest
    value = hidden(removal.value) if removal.field == TAGS else removal.value
    return f"{value}:{hidden(removal.namespace)}" if removal.namespace else value
