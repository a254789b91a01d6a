"""Making a clip: the one place where a provider is called.

(the breaker) (a place) call -> admitted? -> told -> (worth it?) again
"""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from audiocache.entries import Recording
from tts import attempts
from tts.admission import admit
from tts.breaker import breaker_of
from tts.deadline import Deadline
from tts.limits import CallLimits
from tts.metering import Meter
from tts.providers.base import MissingExtra, Provider
from tts.relay import Relay
from tts.speech import SpeechRequest
from tts.tracing import paid_call

Ask = Callable[[SpeechRequest, Deadline], Recording]
Again = Callable[[Callable[[], Recording], Deadline, Callable[[], bool]], Recording]


def make(
    provider: Provider,
    request: SpeechRequest,
    timeout: float,
    limits: CallLimits | None = None,
    relay: Relay | None = None,
    meter: Meter | None = None,
) -> Recording:
    """The admitted sound of a complete request, within `timeout` seconds of calls and waits.

    Up to `timeout` more may pass in the queue before `limits`. A relay lets it be heard while
    it is made; a meter keeps account of it. Raises a ProviderError: the provider's last, or
    NotAudio; SpeechTimeout where the queue was too long; BudgetSpent.
    """
    queue, deadline = Deadline.after(timeout), Deadline.after(timeout)
    ask = relay.ask if relay else provider.synthesize
    call = _Call(provider, ask, request.spoken(), deadline, limits, meter)
    breaker = breaker_of(provider) if provider.remote else None
    numbers = itertools.count(1)

    def attempt() -> Recording:
        return _metered(call, next(numbers))

    def in_place() -> Recording:
        """What keeps it from calling is no answer of the provider, and is in no count of them."""
        if breaker is not None:
            breaker.check()
        with limits.place(queue, deadline, call.waited_until) if limits else nullcontext():
            return attempt() if breaker is None else breaker.guarded(attempt)

    return _again(provider)(in_place, deadline, relay.may_repeat if relay else _always)


@dataclass(slots=True)
class _Call:
    """What all attempts have in common."""

    provider: Provider
    ask: Ask
    request: SpeechRequest
    deadline: Deadline
    limits: CallLimits | None
    meter: Meter | None
    waited_until: float = 0.0
    """What the limits say of its latest attempt: see `CallLimits.heed`."""


def _always() -> bool:
    return True


def _again(provider: Provider) -> Again:
    """How to ask again: what runs in this process says the same the second time."""
    if not provider.remote:
        return lambda call, *_: call()
    if importlib.util.find_spec("tenacity") is None:
        raise MissingExtra("Asking a provider again needs: pip install 'django-audiocache[tts]'")
    from tts.retry import retried

    return retried


def _metered(call: _Call, number: int) -> Recording:
    if call.meter is None:
        return _attempt(call, number)
    with call.meter.paid(number) as paid:
        paid.recording = _attempt(call, number)
    return paid.recording


def _attempt(call: _Call, number: int) -> Recording:
    started = time.perf_counter()
    billed: int | None = None
    failure: Exception | None = None
    try:
        with paid_call(call.request, number) if call.provider.remote else nullcontext():
            recording = call.ask(call.request, call.deadline)
            billed = recording.billed_units
            promised = call.provider.promised(call.request)
            return admit(recording, promised, call.provider.habits)
    except Exception as error:
        failure = error
        raise
    finally:
        latency = time.perf_counter() - started
        attempt = attempts.attempt_of(
            call.request, number=number, latency=latency, error=failure, billed_units=billed
        )
        attempts.tell(type(call.provider), attempt)
        if call.limits is not None:
            call.waited_until = call.limits.heed(failure)
