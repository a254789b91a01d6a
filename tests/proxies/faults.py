"""A TCP proxy before a server, Redis mostly, that misbehaves when told to."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final, Literal

from project.servers import HOST
from tests.proxies.base import Proxy

Fault = Literal["", "refuse", "silence", "drip", "reset", "cut"]
FAULTS: Final[tuple[Fault, ...]] = ("refuse", "silence", "drip", "reset", "cut")


class FaultProxy(Proxy):
    """`become` a fault, and "" again.

    refuse: nobody listens, links are dropped. silence: it accepts and hears, and nothing comes
    back. drip: a byte per `pause` seconds comes back. reset: what is sent is answered with an
    RST. cut: half of an answer comes back, and the end.
    """

    def __init__(self, target: int, pause: float = 0.05) -> None:
        super().__init__()
        self.pause = pause
        self.fault: Fault = ""
        self.target = target
        """The server's port: where new links lead."""
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def become(self, fault: Fault) -> None:
        """For links there are and for those to come."""
        self.run(self._become(fault))

    async def close(self) -> None:
        await self._become("")
        await super().close()

    async def _become(self, fault: Fault) -> None:
        self.fault = fault
        self._changed.set()
        self._changed = asyncio.Event()
        await (self.refuse() if fault == "refuse" else self.listen())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, self.target)
        both = [
            asyncio.create_task(self._to_server(reader, writer, server_writer)),
            asyncio.create_task(self._to_client(server_reader, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server_writer.close()  # before anything is waited for: the end may come again
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _to_server(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> None:
        while data := await reader.read(65_536):
            if self.fault == "reset":
                _reset(writer)
                return
            server.write(data)
            await server.drain()

    async def _to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            while self.fault == "silence":
                await self._changed.wait()
            if self.fault == "cut":
                writer.write(data[: len(data) // 2])
                await writer.drain()
                return
            while self.fault == "drip" and data:
                writer.write(data[:1])
                data = data[1:]
                await asyncio.sleep(self.pause)
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
