"""override_speech: puts a cache and a service of its own in the place of the process's."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.test.utils import TestContextDecorator

from audiocache.testing.calls import Answer, Failure, SpeechCalls
from audiocache.testing.in_force import overrides

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Case = TypeVar("Case", bound=type[Any])


def override_speech(
    *,
    audio: Answer = None,
    fail_with: Failure = None,
    attr_name: str = "speech",
    kwarg_name: str | None = None,
) -> OverrideSpeech:
    """An empty cache in memory, and a provider that lists its calls, for the whole process.

    A context manager, and a decorator of functions, async functions, methods and TestCase
    classes. `audio`: bytes, or a function of the request, answered in place of a short
    sound; it is admitted and stored only when it is sound. `fail_with`: an exception raised
    instead. `kwarg_name`: the keyword a decorated function gets the calls by; `attr_name`:
    the attribute of a decorated class's tests.
    """
    return OverrideSpeech(audio, fail_with, attr_name, kwarg_name)


class OverrideSpeech(TestContextDecorator):
    """What `override_speech` gives. Each entering starts empty; it may be entered again."""

    def __init__(
        self, audio: Answer, fail_with: Failure, attr_name: str, kwarg_name: str | None
    ) -> None:
        super().__init__(attr_name=attr_name, kwarg_name=kwarg_name)
        self._script = audio, fail_with
        self._entered: list[SpeechCalls] = []

    def enable(self) -> SpeechCalls:
        """Begin; see `disable`."""
        calls = SpeechCalls(*self._script)
        overrides.enter(calls)
        self._entered.append(calls)
        return calls

    def disable(self) -> None:
        """End what was begun last: the former cache and service are back."""
        overrides.leave(self._entered.pop())

    def __enter__(self) -> SpeechCalls:  # type: ignore[override]
        return self.enable()

    def __call__(self, decorated: Decorated) -> Decorated:
        return super().__call__(decorated)

    def decorate_class(self, cls: Case) -> Case:
        """Once around the class, for setUpTestData, and anew around each test."""
        if not issubclass(cls, unittest.TestCase):
            raise TypeError(
                "override_speech() decorates functions and unittest.TestCase classes; "
                'for other classes there is @pytest.mark.usefixtures("speech")'
            )
        self._wrap(cls)
        return cls

    def _wrap(self, cls: type[unittest.TestCase]) -> None:
        set_up_class = cast("Callable[[type], None]", cast("Any", cls.setUpClass).__func__)
        set_up = cls.setUp

        def around_class(decorated: type[unittest.TestCase]) -> None:
            decorated.enterClassContext(self)
            set_up_class(decorated)

        def around_test(test: unittest.TestCase) -> None:
            setattr(test, str(self.attr_name), test.enterContext(self))
            set_up(test)

        cast("Any", cls).setUpClass = classmethod(around_class)
        cast("Any", cls).setUp = around_test
