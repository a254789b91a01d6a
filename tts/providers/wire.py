"""How a call goes over the network: pooled, bounded in time and size, its errors translated.

Nothing of the environment is read: no proxy, no `.netrc`, no CA file of requests. No redirect
is followed, no cookie kept, no answer unpacked. An error that leaves here is a ProviderError
without a cause: the cause would hold the call, and that the text and the key.
"""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import InvalidHeader

from audiocache.entries import Recording
from audiocache.forks import renew_in_child
from tts.deadline import Deadline, until
from tts.exceptions import (
    ConnectionFailed,
    CutAnswer,
    NotAudio,
    ProviderError,
    ProviderTimeout,
    RequestRefused,
)
from tts.providers.base import Take
from tts.providers.bodies import TROUBLE, Broken, Unfit, read
from tts.providers.calls import HttpAnswer, HttpCall
from tts.providers.sockets import DeadlineAdapter

HEADERS: Final = {
    "User-Agent": "django-audiocache",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # audio does not shrink, and what is not unpacked cannot burst
}

_REASONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (socket.gaierror, "its name was not found"),
    (ConnectionRefusedError, "it refused the connection"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    (ssl.SSLError, "there is no TLS with it"),
    (TimeoutError, "it could not be reached in time"),
    # Of urllib3, which reads them; what we would send is looked at by requests.
    (InvalidHeader, "the headers of its answer contradict each other"),
)
BROKE: Final = "the connection broke before an answer came"


class _Session(requests.Session):
    """Does not even look at redirects: looking reads the whole body."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the base's signature
        return None


class Wire:
    """Sends calls of one provider; a session for each thread."""

    def __init__(
        self, provider: str, proxy: str | None = None, billed_header: str | None = None
    ) -> None:
        self._provider = provider
        self._billed_header = billed_header
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self.after_fork()
        renew_in_child(self)

    def send(
        self, call: HttpCall, deadline: Deadline, limit: int, take: Take | None = None
    ) -> HttpAnswer:
        """The answer, whatever its status, with at most `limit` bytes of body.

        The body of a success is given to `take` as it comes.
        Raises ConnectionFailed, ProviderTimeout, or NotAudio for what is cut or too large.
        """
        if deadline.passed():
            raise ProviderTimeout("there was no time left", provider=self._provider)
        with until(deadline):
            found = self._exchange(call, deadline, limit, take)
        if isinstance(found, ProviderError):
            raise found  # here, where it has no context
        return found

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def after_fork(self) -> None:
        """Start anew: the connections are the parent's."""
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: weakref.WeakSet[_Session] = weakref.WeakSet()

    def _exchange(
        self, call: HttpCall, deadline: Deadline, limit: int, take: Take | None
    ) -> HttpAnswer | ProviderError:
        try:
            response = self._begin(call, deadline)
        except TROUBLE as error:
            return self._not_reached(error, deadline)
        with response:
            try:
                return read(response, limit, take)
            except Unfit as error:
                failure: ProviderError = NotAudio(str(error))
            except Broken as error:
                failure = _broken_off(error.body, deadline)
            return self._as_success(failure, response)

    def _begin(self, call: HttpCall, deadline: Deadline) -> requests.Response:
        """The status and headers; the body is still to be read."""
        return self._session().request(
            call.method,
            call.url,
            params=dict(call.params),
            headers=dict(call.headers),
            json=call.json,
            data=call.data,
            timeout=deadline.remaining(),
            allow_redirects=False,
            stream=True,
        )

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _new_session(self._proxies)
            with self._lock:
                self._sessions.add(session)
        return session

    # What an error of the network means

    def _not_reached(self, error: BaseException, deadline: Deadline) -> ProviderError:
        if deadline.passed():
            return ProviderTimeout("no answer came in time", provider=self._provider)
        reason = _reason(error)
        if not reason and isinstance(error, ValueError):
            # A header or an address that cannot be sent; the message would show it.
            return RequestRefused(
                "the key, voice or TTS_BASE_URL cannot be sent over HTTP", provider=self._provider
            )
        return ConnectionFailed(reason or BROKE, provider=self._provider)

    def _as_success(self, failure: ProviderError, response: requests.Response) -> ProviderError:
        """What became of the body, with what its head said: it may be billed."""
        failure.provider, failure.status = self._provider, response.status_code
        head = HttpAnswer(response.status_code, response.headers, b"")
        failure.billed_units = head.number(self._billed_header)
        return failure


def _broken_off(body: bytes, deadline: Deadline) -> ProviderError:
    if deadline.passed():
        return ProviderTimeout("no whole answer came in time")
    cut = CutAnswer("the answer broke off before its end")
    cut.recording = Recording(audio=body)
    return cut


def _new_session(proxies: dict[str, Any]) -> _Session:
    session = _Session()
    session.trust_env = False
    session.headers = CaseInsensitiveDict(HEADERS)
    session.proxies = dict(proxies)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=1, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _reason(error: BaseException) -> str:
    """Why there was no answer, without the address; empty when it is not known."""
    chain = list(_chain(error))
    for kind, reason in _REASONS:
        if any(isinstance(link, kind) for link in chain):
            return reason
    return BROKE if isinstance(error, requests.ConnectionError) else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
