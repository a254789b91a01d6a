"""The end of an ASGI server, as the protocol's lifespan tells it."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from audiocache.asgi import Message, Receive, Send, with_shutdown
from audiocache.pulse import pulse
from audiocache.workers import Workers


async def inner(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": scope["type"], "of": "the application"})


def sent_by(scope: str, *received: str) -> list[Message]:
    messages, sent = iter(received), []

    async def receive() -> Message:
        return {"type": next(messages)}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await with_shutdown(inner)({"type": scope}, receive, send)

    asyncio.run(run())
    return sent


@pytest.mark.parametrize("scope", ["http", "websocket"])
def test_requests_are_the_application_s(scope: str) -> None:
    assert sent_by(scope) == [{"type": scope, "of": "the application"}]


def test_the_end_waits_for_what_runs_and_flushes() -> None:
    workers, done = Workers("audiocache-making"), threading.Event()
    flushed: list[bool] = []

    class Work:
        def flush(self) -> None:
            flushed.append(done.is_set())

    work = Work()
    pulse.every(3600, work.flush)
    pulse.ensure()

    def call() -> None:
        time.sleep(0.05)
        done.set()

    workers.submit(call)
    sent = sent_by("lifespan", "lifespan.startup", "lifespan.shutdown")
    answers = ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [message["type"] for message in sent] == answers
    assert flushed == [True]
    assert not pulse.running
    workers.close(lambda: None)
