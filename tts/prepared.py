"""Requests made complete and named, remembered: a hit in memory neither checks nor hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from audiocache.entries import Clip
from audiocache.fields import as_tags
from tts.speech import SpeechRequest, as_invalid

MAX_REQUESTS: Final = 2048
MAX_TEXT: Final = 2048
"""Characters; longer texts are prepared anew each time."""
MAX_WORD: Final = 64
"""Characters of an option's value."""
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_CONTAINERS: Final = frozenset({dict, list, tuple})


class Prepared(NamedTuple):
    """A complete request, and its clip in a namespace."""

    request: SpeechRequest
    clip: Clip
    tags: tuple[str, ...] = ()
    """By which the clip is to be found later; they change neither the sound nor the key."""

    def tagged(self, tags: Iterable[str]) -> Prepared:
        """With these tags. Raises InvalidSpeechRequest."""
        try:
            return self._replace(tags=as_tags(tags)) if tags else self
        except (TypeError, ValueError) as error:
            raise as_invalid(error) from error


class PreparedRequests:
    """A bounded memory over `complete`. Safe under threads: each step is one dict call."""

    def __init__(self, complete: Callable[[SpeechRequest], SpeechRequest]) -> None:
        self._complete = complete
        self._known: dict[object, Prepared] = {}

    def of(self, request: SpeechRequest, namespace: str) -> Prepared:
        """The request complete, and its clip. Raises InvalidSpeechRequest."""
        question = _question(request, namespace)
        if question is None:
            return self._prepare(request, namespace)
        try:
            known = self._known.get(question)
        except TypeError:  # a field that is no str: `complete` says which
            return self._prepare(request, namespace)
        if known is None:
            known = self._prepare(request, namespace)
            self._remember(question, known)
        return known

    def _prepare(self, request: SpeechRequest, namespace: str) -> Prepared:
        complete = self._complete(request)
        return Prepared(complete, complete.clip(namespace))

    def _remember(self, question: object, prepared: Prepared) -> None:
        if len(self._known) >= MAX_REQUESTS:
            self._known.clear()
        self._known[question] = prepared


def _question(request: SpeechRequest, namespace: str) -> object | None:
    """What tells requests apart; None where it cannot be remembered.

    The types tell True from 1, which are equal. A lazy translation is another text in
    another language. Options are a dict, which its owner may change: what they are is kept.
    """
    options = _options(request.options)
    if type(request.text) is not str or len(request.text) > MAX_TEXT or options is None:
        return None
    return request, request.is_complete, namespace, type(request.speed), type(request.ssml), options


def _options(options: object) -> frozenset[object] | None:
    """What they are now; None where they are long, or more than names and plain values."""
    if type(options) is not dict:
        return None
    plain = (type(value) in _SCALARS or _is_empty(value) for value in options.values())
    if not all(plain) or any(len(str(value)) > MAX_WORD for value in options.values()):
        return None
    held = ((name, None if _is_empty(value) else value) for name, value in options.items())
    return frozenset((name, type(options[name]), value) for name, value in held)


def _is_empty(value: object) -> bool:
    """A container, as many options are where nothing was said of them; it has no hash."""
    return type(value) in _CONTAINERS and not value
