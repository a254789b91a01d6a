"""Metrics of prometheus_client whose values are counted elsewhere, and brought in by a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric


class _Scraped(MetricWrapperBase):
    """Calls `refresh` before it is collected."""

    refresh: Callable[[], object] | None = None

    def collect(self) -> Iterable[Metric]:
        """Up to date."""
        if self.refresh is not None:
            self.refresh()
        return super().collect()


class ScrapedCounter(_Scraped, Counter):
    """A counter."""


class ScrapedGauge(_Scraped, Gauge):
    """A gauge."""


class ScrapedHistogram(_Scraped, Histogram):
    """A histogram to which calls are added that were counted in buckets."""

    def add(self, bucket: int, calls: float) -> None:
        """So many calls in a bucket."""
        self._buckets[bucket].inc(calls)

    def add_seconds(self, seconds: float) -> None:
        """What calls took together."""
        self._sum.inc(seconds)
