"""One HTTP call to a vendor and its answer, as values. No repr of them shows text or key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpCall:
    """What is sent. `json` becomes the body; else `data`, as it is."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came: the whole body of a success, the beginning of an error's."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Whatever the case of a name."""
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Is it a success? A redirect is none."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def number(self, header: str | None) -> int | None:
        """A header that is a whole number of at most 18 digits; None when it is not."""
        value = self.headers.get(header, "").strip() if header else ""
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None
