"""What goes on when its client has hung up under ASGI, where Django then cancels the view.

The call is paid or fails whether somebody listens or not: a day's characters go by that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import connections

from tts.speech import Speech
from tts.streaming import AsyncSpeechStream

Heard = AsyncSpeechStream | Speech

_leaving: Final = set[asyncio.Task[None]]()
"""A loop alone does not keep its tasks."""


async def to_its_end(begun: Coroutine[Any, Any, Heard]) -> Heard:
    """Its result; it goes on when this is cancelled."""
    task = asyncio.create_task(begun)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        leaving = asyncio.create_task(_leave(task))
        _leaving.add(leaving)
        leaving.add_done_callback(_leaving.discard)
        raise


async def _leave(task: asyncio.Task[Heard]) -> None:
    await asyncio.wait([task])
    if task.exception() is None and isinstance(heard := task.result(), AsyncSpeechStream):
        heard.close()
    # The request is over: nobody else closes what its thread has opened since.
    await sync_to_async(connections.close_all)()
