"""The spans of speech: what is in them, and when they begin and end. Never a text, never a key.

Names are those of OpenTelemetry's conventions for generative models, as far as these go.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from tts.attempts import outcome_of
from tts.exceptions import ProviderError, TTSError
from tts.speech import PROVIDER, Speech, SpeechRequest

REQUEST: Final = "speech"
OPERATION: Final = "generate_content"
KIND: Final = {"gen_ai.operation.name": OPERATION, "gen_ai.output.type": "speech"}

_tracer: Final = trace.get_tracer("tts")


def around_verb(verb: Any) -> Any:
    """A method that returns a Speech, in a span."""
    if inspect.iscoroutinefunction(verb):

        @functools.wraps(verb)
        async def spoken(self: Any, *given: Any, **named: Any) -> Speech:
            with _told(_begun(), ends=True) as span:
                return _answered(span, await verb(self, *given, **named))

        return spoken

    @functools.wraps(verb)
    def spoken_sync(self: Any, *given: Any, **named: Any) -> Speech:
        with _told(_begun(), ends=True) as span:
            return _answered(span, verb(self, *given, **named))

    return spoken_sync


def around_piece(step: Any) -> Any:
    """`__next__` or `__anext__` of a stream: each within the stream's span."""
    if inspect.iscoroutinefunction(step):

        @functools.wraps(step)
        async def piece(self: Any) -> bytes:
            with _listening(self):
                return await step(self)  # type: ignore[no-any-return]

        return piece

    @functools.wraps(step)
    def piece_sync(self: Any) -> bytes:
        with _listening(self):
            return step(self)  # type: ignore[no-any-return]

    return piece_sync


def before_end(close: Any) -> Any:
    """`close` of a stream: its span ends where it has not yet."""

    @functools.wraps(close)
    def closed(self: Any) -> None:
        close(self)
        _ended(self)

    return closed


@contextmanager
def around_call(request: SpeechRequest, number: int) -> Iterator[None]:
    """One attempt at a provider; how it ended is in `error.type`."""
    model, provider = request.model or "", request.provider or ""
    attributes: dict[str, str | int] = {
        **KIND,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "tts.attempt": number,
    }
    name = f"{OPERATION} {model}".strip()
    with _told(_tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes), ends=True):
        yield


def _begun() -> Span:
    return _tracer.start_span(REQUEST, attributes=KIND)


@contextmanager
def _told(span: Span, *, ends: bool) -> Iterator[Span]:
    """The span is the current one; of an error it tells the kind, and never the words."""
    try:
        with trace.use_span(
            span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        ):
            yield span
    except (StopIteration, StopAsyncIteration):
        raise
    except Exception as error:
        _failed(span, error)
        raise
    finally:
        if ends:
            span.end()


def _failed(span: Span, error: Exception) -> None:
    kind = outcome_of(error) if isinstance(error, ProviderError) else type(error).__name__
    span.set_status(Status(StatusCode.ERROR, kind))
    span.set_attribute("error.type", kind)
    status = getattr(error, "status", None) if isinstance(error, TTSError) else None
    if status is not None:
        span.set_attribute("http.response.status_code", status)


def _answered(span: Span, speech: Speech) -> Speech:
    """What is known of the answer, where somebody records it."""
    if span.is_recording():
        entry = speech.entry
        span.set_attributes(
            {
                "gen_ai.provider.name": speech.provider,
                "gen_ai.request.model": entry.label("model"),
                "cache.hit": speech.tier != PROVIDER,
                "cache.tier": speech.tier,
                "cache.stale": speech.stale,
                "cache.joined": speech.joined,
                "cache.stored": speech.stored,
                "cache.item.size": entry.size,
            }
        )
    return speech


@contextmanager
def _listening(stream: Any) -> Iterator[None]:
    if stream.span is None:
        stream.span = _begun()
    try:
        with _told(stream.span, ends=False):
            yield
    except BaseException:  # its last piece, an error, or a listener who is cancelled
        _ended(stream)
        raise


def _ended(stream: Any) -> None:
    """Once: a span that has ended takes nothing more."""
    span: Span | None = stream.span
    if span is not None:
        if stream.speech is not None:
            _answered(span, stream.speech)
        if span.is_recording():
            span.end()
