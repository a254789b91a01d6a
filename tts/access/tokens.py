"""The words of an API key: `tts-1a2b3c4d-...`; the first part finds the row, all of it opens."""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Final, NamedTuple

_SHAPE: Final = re.compile(r"tts-([0-9a-f]{8})-[0-9a-f]{40}", re.ASCII)


class NewToken(NamedTuple):
    """What is shown once, and what is kept of it."""

    token: str
    prefix: str
    digest: str


def new_token() -> NewToken:
    """160 random bits behind a prefix that people and logs may see."""
    prefix = secrets.token_hex(4)
    token = f"tts-{prefix}-{secrets.token_hex(20)}"
    return NewToken(token, prefix, digest_of(token))


def digest_of(token: str) -> str:
    """What is stored. One fast hash is enough for bits that nobody can guess."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def prefix_of(token: str) -> str | None:
    """None: it was never a key of ours."""
    found = _SHAPE.fullmatch(token)
    return found[1] if found else None
