"""For ASGI servers: uvicorn and others end by a signal, which runs nothing at exit.

    application = with_shutdown(get_asgi_application())

They announce their end through the protocol's lifespan, which Django does not take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from audiocache.draining import drain
from audiocache.pulse import finish

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


def with_shutdown(application: Application) -> Application:
    """The application, which at the server's end finishes paid calls and writes counters."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await application(scope, receive, send)

    return wrapped


async def _lifespan(receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    drain()
    await asyncio.to_thread(finish)
    await send({"type": "lifespan.shutdown.complete"})
