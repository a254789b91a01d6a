"""An asyncio server on loopback that stands before another, on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from project.servers import HOST, free_port

R = TypeVar("R")


class Proxy(ABC):
    """Listens from `start` to `stop`; `serve` is one client's link."""

    def __init__(self) -> None:
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def __enter__(self) -> Self:
        self._loop.call_soon(sys.settrace, None)  # coverage has nothing to learn here
        self._thread.start()
        self.run(self.listen())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Do it on the proxy's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def refuse(self) -> None:
        """Listen no more and drop all links."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        links = list(self._links)
        for task, writer in list(self._links.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def close(self) -> None:
        await self.refuse()
        for _ in range(5):  # a client that was just accepted begins, and is dropped too
            await asyncio.sleep(0)
        await self.refuse()

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it leaves."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = writer
        try:
            # Either side may leave, and the proxy may end: all of them are the end of a link.
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await self.serve(reader, writer)
        finally:
            del self._links[task]
            writer.close()
