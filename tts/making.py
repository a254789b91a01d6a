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
from tts.deadline import Deadline
from tts.providers.base import MissingExtra, Provider
from tts.relay import Relay
from tts.speech import SpeechRequest

Ask = Callable[[SpeechRequest, Deadline], Recording]
Again = Callable[[Callable[[], Recording], Deadline, Callable[[], bool]], Recording]


def make(
    provider: Provider, request: SpeechRequest, timeout: float, relay: Relay | None = None
) -> Recording:
    """The admitted sound of a complete request, within `timeout` seconds from now.

    A relay lets it be heard while it is made.
    Raises a ProviderError: the provider's last, or NotAudio.
    """
    spoken = request.spoken()
    deadline = Deadline.after(timeout)
    numbers = itertools.count(1)
    ask = relay.ask if relay else provider.synthesize

    def attempt() -> Recording:
        return _attempt(provider, ask, spoken, deadline, next(numbers))

    return _again(provider)(attempt, deadline, relay.may_repeat if relay else _always)


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


def _attempt(
    provider: Provider, ask: Ask, request: SpeechRequest, deadline: Deadline, number: int
) -> Recording:
    started = time.perf_counter()
    billed: int | None = None
    failure: Exception | None = None
    try:
        recording = ask(request, deadline)
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
