"""Making a clip: the one place where a provider is called.

call -> admitted? -> told -> (worth it?) again
"""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable

from audiocache.entries import Recording
from tts import attempts
from tts.admission import admit
from tts.breaker import breaker_of
from tts.deadline import Deadline
from tts.providers.base import MissingExtra, Provider
from tts.speech import SpeechRequest


def make(provider: Provider, request: SpeechRequest, timeout: float) -> Recording:
    """The admitted sound of a complete request, within `timeout` seconds from now.

    Raises a ProviderError: the provider's last, or NotAudio.
    """
    spoken = request.spoken()
    deadline = Deadline.after(timeout)
    numbers = itertools.count(1)
    return _again(provider)(lambda: _attempt(provider, spoken, deadline, next(numbers)), deadline)


def _again(provider: Provider) -> Callable[[Callable[[], Recording], Deadline], Recording]:
    """How to ask again: what runs in this process says the same the second time."""
    if not provider.remote:
        return lambda call, _: call()
    if importlib.util.find_spec("tenacity") is None:
        raise MissingExtra("Asking a provider again needs: pip install 'django-audiocache[tts]'")
    from tts.retry import retried

    breaker = breaker_of(provider)
    return lambda call, deadline: retried(lambda: breaker.guarded(call), deadline)


def _attempt(
    provider: Provider, request: SpeechRequest, deadline: Deadline, number: int
) -> Recording:
    started = time.perf_counter()
    billed: int | None = None
    failure: Exception | None = None
    try:
        recording = provider.synthesize(request, deadline)
        billed = recording.billed_units
        return admit(recording, request)
    except Exception as error:
        failure = error
        raise
    finally:
        latency = time.perf_counter() - started
        attempt = attempts.attempt_of(
            request, number=number, latency=latency, error=failure, billed_units=billed
        )
        attempts.tell(type(provider), attempt)
