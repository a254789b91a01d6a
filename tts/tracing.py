"""Where a request is traced by OpenTelemetry, with the extra `otel`; see docs/metrics.md.

Without it each of these gives back what it was given: nothing is called that was not before.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any, Final, TypeVar, cast

from tts.speech import SpeechRequest

Verb = TypeVar("Verb")


def _is_installed() -> bool:
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.trace") is not None


INSTALLED: Final = _is_installed()


def traced(verb: Verb) -> Verb:
    """A method of the service that answers a request: the span is that of its call."""
    if not INSTALLED:
        return verb
    from tts.spans import around_verb

    return cast("Verb", around_verb(verb))


def traced_piece(step: Verb) -> Verb:
    """The method of a stream that gives its next piece: the span lasts from the first one on."""
    if not INSTALLED:
        return step
    from tts.spans import around_piece

    return cast("Verb", around_piece(step))


def traced_end(close: Verb) -> Verb:
    """The method by which a listener leaves."""
    if not INSTALLED:
        return close
    from tts.spans import before_end

    return cast("Verb", before_end(close))


def paid_call(request: SpeechRequest, number: int) -> AbstractContextManager[Any]:
    """Around one attempt at a paid provider: a child of the request that began it."""
    if not INSTALLED:
        return nullcontext()
    from tts.spans import around_call

    return around_call(request, number)
