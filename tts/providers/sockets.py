"""Sockets that give up at a deadline, whatever the other side does.

A time-out bounds one wait for one byte: a peer that drips a byte now and then never meets it,
neither in its headers nor in its body. Here every single read and write gets at most what is
left of the deadline of this thread's call, TLS included. The one thing left out is the
resolving of a name, which the operating system bounds by itself.
"""

from __future__ import annotations

import socket
import ssl
from functools import lru_cache
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from tts.deadline import of_call
from tts.providers.heads import WholeHead

CONNECT_SECONDS: Final = 5.0
"""Of one address; it is no paid call yet, and is tried again."""


def _left(most: float | None = None) -> float | None:
    """Seconds of the call, at most `most`. Raises TimeoutError when none are left."""
    deadline = of_call()
    if deadline is None:
        return most
    if deadline.passed():
        raise TimeoutError("the deadline has passed")
    return min(deadline.remaining(), most or deadline.remaining())


class DeadlineSocket(socket.socket):
    """Reads and writes until the deadline of this thread's call."""

    def recv_into(self, *args: Any, **given: Any) -> int:
        """See socket. Raises TimeoutError at the deadline."""
        self.settimeout(_left())
        return super().recv_into(*args, **given)

    def send(self, *args: Any, **given: Any) -> int:
        """See socket; TLS sends piece by piece."""
        self.settimeout(_left())
        return super().send(*args, **given)

    def sendall(self, *args: Any, **given: Any) -> None:
        """See socket; a plain socket's time-out is that of all pieces together."""
        self.settimeout(_left())
        super().sendall(*args, **given)


class DeadlineTLSSocket(DeadlineSocket, ssl.SSLSocket):
    """The same over TLS, whose time-outs are of whole records and of the whole handshake."""


class _Connecting(HTTPConnection):
    response_class = WholeHead

    def _new_conn(self) -> socket.socket:
        try:
            host = self._dns_host.strip("[]")
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        try:
            return _first_connected(found, self.socket_options or ())
        except OSError as error:
            raise NewConnectionError(self, "no address could be reached") from error


class _TLSConnecting(_Connecting, HTTPSConnection):
    pass


def _first_connected(addresses: list[Any], options: Any) -> DeadlineSocket:
    failure = OSError("it has no address")
    for family, kind, protocol, _, address in addresses:
        connection = DeadlineSocket(family, kind, protocol)
        try:
            for option in options:
                connection.setsockopt(*option)
            connection.settimeout(_left(CONNECT_SECONDS))
            connection.connect(address)
            connection.settimeout(_left())  # also the time of the TLS handshake
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connecting


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnecting


class DeadlineAdapter(HTTPAdapter):
    """Connections of requests made of these sockets; never asks again by itself."""

    def init_poolmanager(self, *args: Any, **given: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(*args, **given, ssl_context=_tls())
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **given: Any) -> Any:
        """See HTTPAdapter."""
        manager = super().proxy_manager_for(proxy, **given, ssl_context=_tls())
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Trusts what this machine trusts; requests adds the certificates of certifi."""
    context = ssl.create_default_context()
    context.sslsocket_class = DeadlineTLSSocket
    return context
