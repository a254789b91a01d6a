"""Credentials as every AWS tool finds them: in time, and without a word about them.

Botocore may run a program, or ask another service of AWS over connections that know nothing of
our deadline, and at level DEBUG it logs the answers with all that is in them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from audiocache.forks import renew_in_child
from tts.building import built
from tts.deadline import Deadline, of_call
from tts.exceptions import ConnectionFailed, ProviderError, ProviderTimeout, WrongKey

LONGEST: Final = 30.0
"""Seconds to wait for credentials where no call has set a deadline."""
CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 5
"""Of one request for credentials; so that a search which nobody waits for any more ends too."""
ATTEMPTS: Final = 2

_QUIET: Final = ("botocore", "urllib3")
_ours: Final[ContextVar[bool]] = ContextVar("tts_aws_credentials", default=False)


@contextmanager
def unlogged() -> Iterator[None]:
    """Nothing that botocore does here for us is logged; what it does for others is."""
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in _QUIET and isinstance(logger, logging.Logger):
            logger.addFilter(_nothing_of_ours)
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _nothing_of_ours(_: logging.LogRecord) -> bool:
    return not _ours.get()


class Credentials:
    """Found when they are needed first, and renewed before they end.

    At most one thread at a time looks for them; callers wait for it until their deadline.
    """

    def __init__(self, service: str, key: str | None) -> None:
        self._service = service
        self._key = key
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """A search that was under way was the parent's, and with it locks of botocore."""
        self.__dict__.pop("session", None)
        self._found: Any = None
        self._lock = threading.Lock()
        self._search: Future[Any] | None = None

    def frozen(self) -> Any:
        """Those of this moment. Raises WrongKey, ConnectionFailed or ProviderTimeout."""
        if self._key:
            from botocore.credentials import Credentials as Given  # type: ignore[import-untyped]

            return Given(*self._key.split(":"))
        if not _is_due(self._found):
            return self._found.get_frozen_credentials()
        search = self._begun()
        try:
            failure = search.exception((of_call() or Deadline.after(LONGEST)).remaining())
        except TimeoutError:
            failure = TimeoutError()
        if failure is not None or search.result() is None:
            raise self._meaning(failure)
        return search.result()

    @built
    def session(self) -> Any:
        """Of botocore; reads files when it is asked."""
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.session import Session  # type: ignore[import-untyped]

        session = Session()
        once = {"total_max_attempts": ATTEMPTS}
        session.set_default_client_config(
            Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=once)
        )
        return session

    def _begun(self) -> Future[Any]:
        """The search that is under way, or a new one."""
        with self._lock:
            if self._search is None or self._search.done():
                self._search = Future()
                run = threading.Thread(
                    target=self._look, args=(self._search,), name="tts-credentials", daemon=True
                )
                run.start()
            return self._search

    def _look(self, search: Future[Any]) -> None:
        try:
            with unlogged():
                self._found = self._found or self.session.get_credentials()
                search.set_result(self._found and self._found.get_frozen_credentials())
        except Exception as error:  # noqa: BLE001 - those who wait are to know, whatever it is
            search.set_exception(error)

    def _meaning(self, failure: BaseException | None) -> ProviderError:
        from botocore import exceptions  # type: ignore[import-untyped]

        unreachable = (exceptions.ConnectionError, exceptions.HTTPClientError)
        if isinstance(failure, TimeoutError):
            return ProviderTimeout("no credentials of AWS in time", provider=self._service)
        if isinstance(failure, unreachable):
            text = "who gives credentials of AWS could not be reached"
            return ConnectionFailed(text, provider=self._service)
        how = "could not be found or renewed" if failure else "were not found"
        return WrongKey(f"credentials of AWS {how}", provider=self._service)


def _is_due(found: Any) -> bool:
    """Must they be looked for, or renewed soon?"""
    if found is None:
        return True
    refresh_needed = getattr(found, "refresh_needed", None)
    return bool(refresh_needed and refresh_needed())
