"""Erasing on request: from every tier, from refused answers, and from what files keep.

Eviction and expiry leave audio in the free pages of a database, which is quick and nobody's harm.
Who must erase, rewrites the file: that takes what was evicted or replaced before, too, which no
overwriting of the present rows would.
"""

from audiocache.erasing.report import Report, Step
from audiocache.erasing.scrubbing import scrub
from audiocache.erasing.subject import Subject, of_keys, of_tag, of_text, of_text_everywhere
from audiocache.erasing.work import erase

__all__ = [
    "Report",
    "Step",
    "Subject",
    "erase",
    "of_keys",
    "of_tag",
    "of_text",
    "of_text_everywhere",
    "scrub",
]
