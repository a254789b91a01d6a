"""A variant as it may be stored where no text may be: digests stand for what holds text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from audiocache.canonical import canonical

MARK: Final = "sha256:"


def without_texts(variant: str, names: Iterable[str]) -> str:
    """The canonical variant with the parameters of these names as digests.

    A name may lead into a dict, as in `options.previous_text`. Two texts stay two variants; the
    key was made of the whole one.
    """
    if not variant or not any(f'"{name.rpartition(".")[2]}":' in variant for name in names):
        return variant
    values: dict[str, Any] = json.loads(variant)
    for name in names:
        _hide(values, *name.split("."))
    return canonical(values)


def _hide(values: object, name: str, *inner: str) -> None:
    if not isinstance(values, dict) or not values.get(name):
        return
    if inner:
        _hide(values[name], *inner)
    else:
        values[name] = MARK + sha256(canonical(values[name]).encode()).hexdigest()
