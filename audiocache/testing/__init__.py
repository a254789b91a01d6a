"""Speech in the tests of a project: nothing is paid, and nothing leaves the process.

    from audiocache.testing import override_speech

    with override_speech() as speech:
        ...
    assert speech.texts == ["Hello"]

The fixture `speech` is there for pytest with one line in the conftest.py at the top:
`pytest_plugins = ["audiocache.testing"]`. `faulty_tier` and `faulty_provider` make bad times.
See docs/testing.md. PYTEST_DONT_REWRITE, so that
it may be imported before pytest loads it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from audiocache.testing.calls import SpeechCalls
from audiocache.testing.faults import (
    at_random,
    corrupting,
    failing,
    faulty_provider,
    faulty_tier,
    losing_answers,
    slow,
    stalling,
    with_faults,
)
from audiocache.testing.faulty import Fault, Operation
from audiocache.testing.override import OverrideSpeech, override_speech

__all__ = [
    "Fault",
    "Operation",
    "OverrideSpeech",
    "SpeechCalls",
    "at_random",
    "corrupting",
    "failing",
    "faulty_provider",
    "faulty_tier",
    "losing_answers",
    "override_speech",
    "slow",
    "stalling",
    "with_faults",
]

# Only where pytest runs: a test run of Django does not load it.
if "pytest" in sys.modules:
    import pytest

    @pytest.fixture
    def speech() -> Iterator[SpeechCalls]:
        """The calls made in this test: see `override_speech`."""
        with override_speech() as calls:
            yield calls
