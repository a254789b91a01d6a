"""Speech in the tests of a project: nothing is paid, and nothing leaves the process.

    from audiocache.testing import override_speech

    with override_speech() as speech:
        ...
    assert speech.texts == ["Hello"]

The fixture `speech` is there for pytest with one line in the conftest.py at the top:
`pytest_plugins = ["audiocache.testing"]`. See docs/testing.md. PYTEST_DONT_REWRITE, so that
it may be imported before pytest loads it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from audiocache.testing.calls import SpeechCalls
from audiocache.testing.override import OverrideSpeech, override_speech

__all__ = ["OverrideSpeech", "SpeechCalls", "override_speech"]

# Only where pytest runs: a test run of Django does not load it.
if "pytest" in sys.modules:
    import pytest

    @pytest.fixture
    def speech() -> Iterator[SpeechCalls]:
        """The calls made in this test: see `override_speech`."""
        with override_speech() as calls:
            yield calls
