"""Metrics of speech for Prometheus, where the extra `metrics` is installed; see docs/metrics.md."""

from __future__ import annotations

from typing import Any

from audiocache.charges import PaidCall
from audiocache.metrics import installed
from tts.attempts import Attempt


def begin(**_: Any) -> None:
    """A receiver of `cache_built`: the metrics are there from the process's first use on."""
    if installed():
        from tts.metrics import counting  # noqa: F401 - registers them


def on_attempt(*, attempt: Attempt, **_: Any) -> None:
    """A receiver of `attempt_made`."""
    if installed():
        from tts.metrics.counting import count

        count(attempt)


def on_settled(*, call: PaidCall, **_: Any) -> None:
    """A receiver of `call_settled`."""
    if installed():
        from tts.metrics.counting import account

        account(call)


def on_unchecked(**_: Any) -> None:
    """A receiver of `budget_unchecked`."""
    if installed():
        from tts.metrics.counting import unchecked

        unchecked()
