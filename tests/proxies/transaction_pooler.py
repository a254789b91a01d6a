"""A pooler before PostgreSQL that changes the server connection after every transaction.

As pgbouncer in transaction mode, and stricter: the next transaction of a client never goes to
the connection that had its last one. What a session keeps (SET, a prepared statement, a lock of
the session, LISTEN, a temporary table) is therefore lost to its owner, and `leftovers` tells it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from urllib.parse import urlsplit

import psycopg

from tests.proxies.base import Proxy

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
TOLD: Final = (
    "server_version", "server_encoding", "client_encoding", "DateStyle", "IntervalStyle",
    "TimeZone", "integer_datetimes", "standard_conforming_strings", "is_superuser",
)  # fmt: skip
"""What a server tells a client of itself when it begins."""
KEPT: Final = """
SELECT 'prepared statement ' || name FROM pg_prepared_statements
UNION ALL SELECT 'setting ' || name FROM pg_settings WHERE source = 'session'
UNION ALL SELECT 'lock ' || objid FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'channel ' || pg_listening_channels()
UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE name <> ''
UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relpersistence = 't'
    AND pg_table_is_visible(oid) AND relkind = 'r'
"""
"""What lies in a session, for others to stumble over."""


class ServerLink:
    """A connection that psycopg has logged in, and whose bytes we read and write since."""

    def __init__(self, logged_in: psycopg.Connection) -> None:
        self.session = logged_in
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def open(self) -> ServerLink:
        raw = socket.socket(fileno=os.dup(self.session.pgconn.socket))
        raw.setblocking(False)
        self.reader, self.writer = await asyncio.open_connection(sock=raw, limit=2**24)
        return self

    async def kept(self) -> list[str]:
        """What its session holds; it is idle."""
        self.writer.write(_message(b"Q", KEPT.encode() + b"\0"))
        found = []
        kind = b""
        while kind != b"Z":
            kind, message = await _read(self.reader)
            if kind == b"D":  # a row of one column: behind the two counts is its text
                found.append(message[11:].decode())
        return found

    def close(self) -> None:
        self.writer.transport.abort()
        self.session.close()


@dataclass
class Pool:
    """Connections to one database."""

    idle: deque[ServerLink] = field(default_factory=deque)
    clients: int = 0


@dataclass
class Client:
    """What is known of a client, and the connection that has its transaction."""

    number: int
    pool: Pool
    database: str
    link: ServerLink | None = None
    last: ServerLink | None = None
    asked: int = 0
    """Queries and syncs that the server has not answered."""


class TransactionPooler(Proxy):
    """Clients log in as they like; `url` is the server's address with the proxy's port."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._behind = urlsplit(url)
        self.url = self._behind._replace(
            netloc=self._behind.netloc.replace(f":{self._behind.port}", f":{self.port}")
        ).geturl()
        self.transactions = 0
        self._pools: dict[str, Pool] = {}
        self._clients: dict[int, Client] = {}
        self._numbers = count(1)

    def leftovers(self) -> list[str]:
        """What lies in the sessions of idle connections, TimeZone apart, which poolers follow."""
        kept = self.run(self._leftovers())
        return [one for one in kept if one != "setting TimeZone"]

    async def _leftovers(self) -> list[str]:
        idle = [link for pool in self._pools.values() for link in pool.idle]
        return [one for link in idle for one in await link.kept()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        given = await self._startup(reader, writer)
        if given is None:
            return
        database = given.get("database", given["user"])
        pool = self._pools.setdefault(database, Pool())
        client = Client(next(self._numbers), pool, database)
        self._clients[client.number] = client
        pool.clients += 1
        try:
            await self._greet(client, writer)
            await self._talk(client, reader, writer)
        finally:
            self._left(client)

    def _left(self, client: Client) -> None:
        """A transaction that was not ended is rolled back; with the last one, all leave: a test
        run drops its database.
        """
        del self._clients[client.number]
        client.pool.clients -= 1
        if client.link:
            client.link.close()
        while not client.pool.clients and client.pool.idle:
            client.pool.idle.popleft().close()

    async def _startup(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, str] | None:
        while True:
            size, code = struct.unpack("!II", await reader.readexactly(8))
            rest = await reader.readexactly(size - 8)
            if code in (SSL, GSS):
                writer.write(b"N")
            elif code == CANCEL:
                return None
            else:
                words = rest.rstrip(b"\0").decode().split("\0")
                return dict(zip(words[::2], words[1::2], strict=True))

    async def _greet(self, client: Client, writer: asyncio.StreamWriter) -> None:
        """As the server would after the login: what it is, a key to cancel with (which nobody
        here does), ready.
        """
        try:
            link = await self._take(client)
        except psycopg.OperationalError as error:
            writer.write(_refusal(str(error)))
            raise EOFError from error
        client.pool.idle.append(link)
        writer.write(_message(b"R", struct.pack("!I", 0)))
        for name in TOLD:
            value = link.session.pgconn.parameter_status(name.encode()) or b""
            writer.write(_message(b"S", name.encode() + b"\0" + value + b"\0"))
        writer.write(_message(b"K", struct.pack("!II", client.number, 0)))
        writer.write(_message(b"Z", b"I"))

    async def _take(self, client: Client) -> ServerLink:
        """The connection that was idle longest, and never the client's last one."""
        idle = client.pool.idle
        for _ in range(len(idle)):
            link = idle.popleft()
            if link.reader.at_eof():
                link.close()
            elif link is client.last:
                idle.append(link)
            else:
                return link
        behind = self._behind._replace(path=f"/{client.database}").geturl()
        session = await asyncio.to_thread(_logged_in, behind)
        return await ServerLink(session).open()

    async def _talk(
        self, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answers: asyncio.Task[None] | None = None
        try:
            while True:
                kind, message = await _read(reader)
                if kind == b"X":
                    return
                if client.link is None:
                    client.link = await self._take(client)
                    answers = asyncio.create_task(self._answer(client, client.link, writer))
                client.asked += kind in b"QSF"
                client.link.writer.write(message)
                await client.link.writer.drain()
        finally:
            if answers:
                answers.cancel()

    async def _answer(self, client: Client, link: ServerLink, writer: asyncio.StreamWriter) -> None:
        """Until the transaction ends; then the connection is another's."""
        try:
            while True:
                kind, message = await _read(link.reader)
                if kind == b"Z":
                    client.asked -= 1
                    if message[-1:] == b"I" and not client.asked:
                        self.transactions += 1
                        client.last, client.link = link, None
                        client.pool.idle.append(link)
                        writer.write(message)
                        return
                writer.write(message)
                await writer.drain()
        except (OSError, EOFError):  # the server has gone, and takes the client with it
            writer.transport.abort()


def _logged_in(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True)


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A message's kind, and the whole of it."""
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _refusal(text: str) -> bytes:
    words = [b"SFATAL", b"VFATAL", b"C08006", b"M" + text.encode()]
    return _message(b"E", b"\0".join(words) + b"\0\0")
