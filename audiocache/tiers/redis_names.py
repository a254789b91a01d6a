"""The distributed tier's keys in Redis, all below one prefix. No text, tag or namespace is in one.

<prefix>:entry:<key>             an envelope
<prefix>:generation              entries stamped with another one do not exist
<prefix>:removals                the removal log, a stream; ids are <position>-0
<prefix>:removals:end            where it ends: history, position and mark of the last entry
<prefix>:reached:<ledger>        up to where Redis has what a database's log says
<prefix>:group:<field>:<digest>  by when they leave, the keys of a text, a source or a tag
<prefix>:lease:<digest>          who does a thing that only one may do
<prefix>:place:<digest>:<part>   who calls a provider now, how many may, and from when on
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from audiocache.entries import AudioEntry
from audiocache.removals import TAGS, TEXT
from audiocache.removals.values import digest

KEY_CHARACTERS: Final = 64

is_key = re.compile(rb"[0-9a-f]{%d}" % KEY_CHARACTERS).fullmatch
"""Is this member of a group a key of ours? Others can write there, too."""


class Names:
    """What things are called on the server."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.generation = f"{prefix}:generation"
        self.log = f"{prefix}:removals"
        self.end = f"{prefix}:removals:end"

    def entry(self, key: str) -> str:
        """Where the envelope of a key lies."""
        return f"{self._prefix}:entry:{key}"

    def place(self, digest: str, part: str) -> str:
        """Where the places of a name lie: `owners`, `limit` or `pause`."""
        return f"{self._prefix}:place:{digest}:{part}"

    def reached(self, ledger: str) -> str:
        """Where it says how much of a ledger Redis has."""
        return f"{self._prefix}:reached:{ledger}"

    def group(self, field: str, value: str, namespace: str = "", *, digested: bool = False) -> str:
        """Where the keys of a group lie; of a text those of one namespace."""
        # A tag or a namespace may be a person's name: its digest stands in the key.
        shown = value if digested or field != TAGS else digest(value)
        scope = namespace if digested else digest(namespace)
        room = f":{scope}" if field == TEXT and scope else ""
        return f"{self._prefix}:group:{field}:{shown}{room}"

    def groups_of_text(self, text_digest: str) -> str:
        """A pattern: the groups of a text in all namespaces, whose digests they end with."""
        return f"{_literally(self.group(TEXT, text_digest))}:*"

    def lease(self, name: str) -> str:
        """Where the lease of a name lies."""
        return f"{self._prefix}:lease:{digest(name)}"

    def groups_of(self, entry: AudioEntry) -> Iterator[str]:
        """The groups by which an entry can be removed; its own key needs none."""
        if entry.text_digest and entry.text_digest != entry.key:
            yield self.group(TEXT, entry.text_digest, entry.namespace)
        if entry.source_key and entry.source_key != entry.key:
            yield self.group("source_key", entry.source_key)
        for tag in entry.tags:
            yield self.group(TAGS, tag)


def _literally(name: str) -> str:
    """Of what Redis' patterns mean something else by, only itself."""
    return re.sub(r"[][*?\\]", r"\\\g<0>", name)
