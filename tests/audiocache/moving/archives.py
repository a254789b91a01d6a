"""Archives for tests: made from a table, taken apart with the plain library, and spoilt."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audiocache.moving import Archive, ArchiveReport, ExportReport, Table, bring_in, export
from audiocache.moving.manifest import sealed
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ALIASES
from tests.factories import NOW

Files = dict[str, bytes]


def write(tier: PersistentTier, path: Path, **how: Any) -> ExportReport:
    return export(path, Table(ALIASES[tier.vendor], tier.clips), **{"now": NOW, **how})


def read(tier: PersistentTier, path: Path, **how: Any) -> ArchiveReport:
    with Archive(path) as archive:
        return bring_in(
            archive, tier, Table(ALIASES[tier.vendor], tier.clips), **{"now": NOW, **how}
        )


def files_in(path: Path) -> Files:
    """As anybody's tar program sees it."""
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files_in(path)["manifest.jsonl"].splitlines()]


def pack(path: Path, files: Files) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Another manifest, sealed as ours is: its first entry is changed."""
    files = files_in(path)
    lines = lines_in(path)
    change(lines[1])
    for line in lines:
        del line["sum"]
    pack(path, files | {"manifest.jsonl": b"".join(map(sealed, lines))})
