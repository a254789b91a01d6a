"""The default registry as text; or what the files of this host's processes add up to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from audiocache.metrics import MULTIPROC_DIR, is_multiprocess
from audiocache.metrics.publishing import publisher


def exposed(accept: str, names: Sequence[str] = ()) -> tuple[bytes, str]:
    """The text in the format that is accepted, and its content type; all names, or these."""
    registry = _of_all_processes() if is_multiprocess() else REGISTRY
    encode, content_type = choose_encoder(accept)
    wanted = registry.restricted_registry(names) if names else registry
    return encode(wanted), content_type


def _of_all_processes() -> CollectorRegistry:
    """What the others have told so far; of this one, all."""
    publisher.publish()
    registry = CollectorRegistry()
    registry.register(_BegunFiles())
    return registry


class _BegunFiles(Collector):
    """As MultiProcessCollector, which fails on a file that its process has just created."""

    def collect(self) -> Iterable[Metric]:
        """What the files add up to."""
        files = Path(os.environ[MULTIPROC_DIR]).glob("*.db")
        begun = [str(file) for file in files if _is_begun(file)]
        merged: Iterable[Metric] = MultiProcessCollector.merge(begun)
        return merged


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # its process is dead, and somebody has cleaned up
        return False
