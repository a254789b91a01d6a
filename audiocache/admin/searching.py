"""Searching entries by key or by text, without the text in an address (law 11).

What is typed becomes a term: the key or its first digits, or `text:` and the digests of the
text. Links and redirects carry the term.
"""

from __future__ import annotations

import re
from typing import Final

from audiocache import finding
from audiocache.models import EntryQuerySet

MARK: Final = "text:"
NOTHING: Final = f"{MARK}-"
"""The term of what can be no text."""

_TERM: Final = re.compile(r"text:(-|[0-9a-f]{64}(,[0-9a-f]{64})?)")


def term_of(typed: str) -> str:
    """The term of what was typed; a term stays as it is."""
    if not typed.strip() or _TERM.fullmatch(typed):
        return typed.strip()
    if finding.is_key_prefix(typed) and _is_key(typed):
        return typed.strip().lower()
    try:
        return MARK + ",".join(finding.digests_of(typed))
    except ValueError:
        return NOTHING


def _is_key(typed: str) -> bool:
    """A phone number is made of hex digits, too: it is a key only when there is such a key."""
    return finding.entries().filter(finding.by_key(typed)).exists()


def search(entries: EntryQuerySet, term: str, *, may_view_text: bool) -> EntryQuerySet:
    """The entries that a term means; none by text for those who may not see texts."""
    if not term:
        return entries
    if not term.startswith(MARK):
        return entries.filter(finding.by_key(term))
    if not may_view_text or term == NOTHING:
        return entries.none()
    return entries.filter(text_digest__in=term.removeprefix(MARK).split(","))
