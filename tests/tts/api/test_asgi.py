"""The same under an ASGI server."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.tts.api.conftest import Site, until
from tests.tts.api.test_sdk import asked, phrase
from tests.tts.vendors.openai import WRONG, reply
from tests.tts.vendors.server import Heard
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.tap import LONGEST, Tap

if TYPE_CHECKING:
    import openai
    from openai import AsyncOpenAI
else:
    from tests.tts.api import sdk as openai


def run(site: Site, key: str, visit: Callable[[AsyncOpenAI], Awaitable[None]]) -> None:
    async def visited() -> None:
        async with site.aclient(key) as client:
            await visit(client)

    asyncio.run(visited())


def test_32_calls_for_a_new_phrase_pay_once(asgi_site: Site) -> None:
    text, calls = phrase(), len(asgi_site.vendor.heard)

    async def visit(client: AsyncOpenAI) -> None:
        create = client.audio.speech.create
        heard = await asyncio.gather(*(create(**asked(text)) for _ in range(32)))
        assert {answer.content for answer in heard} == {sound(text, "mp3", 1)}

    run(asgi_site, "usual", visit)
    assert len(asgi_site.vendor.heard) == calls + 1


def test_a_miss_is_heard_while_it_is_made(asgi_site: Site) -> None:
    """The second piece is let by whoever has heard the first one."""
    text = phrase()
    tap = Tap(sound(text, "mp3", 1), pieces=2)
    asgi_site.vendor.next.append(tap)
    tap.let(1)

    async def visit(client: AsyncOpenAI) -> None:
        speech = client.audio.speech.with_streaming_response
        heard = b""
        async with speech.create(**asked(text)) as answer:
            async for piece in answer.iter_bytes():
                heard += piece
                tap.let()
        assert heard == b"".join(tap.pieces)

    run(asgi_site, "usual", visit)


def test_a_limit_holds_and_gives_back(asgi_site: Site) -> None:
    """200 a day; what fails costs nothing."""

    async def visit(client: AsyncOpenAI) -> None:
        create = client.audio.speech.create
        asgi_site.vendor.next.append(WRONG)
        with pytest.raises(openai.BadRequestError):
            await create(**asked("word " * 30))
        await create(**asked("word " * 39))
        with pytest.raises(openai.RateLimitError):
            await create(**asked())

    run(asgi_site, "limited", visit)


def test_joined_callers_cost_the_day_nothing(asgi_site: Site) -> None:
    """They ask for what a caller without a limit is already paying."""
    text = phrase()
    tap = Tap(sound(text, "mp3", 1), pieces=1)
    asgi_site.vendor.next.append(tap)
    calls = len(asgi_site.vendor.heard)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asgi_site.post, asked(text))
        until(lambda: len(asgi_site.vendor.heard) > calls)
        second = pool.submit(asgi_site.post, asked(text), "joiner")
        until(lambda: asgi_site.row("joiner")["used"] == len(text))
        tap.let()
        assert first.result()[1] == second.result()[1] == sound(text, "mp3", 1)
    assert asgi_site.row("joiner")["used"] == 0


@pytest.mark.parametrize("fails", [True, False])
def test_who_hangs_up_is_given_back_what_was_not_paid(asgi_site: Site, fails: bool) -> None:
    text, let, replied = phrase(), threading.Event(), threading.Event()

    def late(line: socket.socket, heard: Heard) -> bool:
        assert let.wait(LONGEST)
        goes_on = (WRONG if fails else reply(heard))(line, heard)
        replied.set()
        return goes_on

    asgi_site.vendor.next.append(late)
    used = asgi_site.row("joiner")["used"]
    with asgi_site.asked(asked(text), "joiner"):
        until(lambda: asgi_site.row("joiner")["used"] == used + len(text))
    for _ in range(2):  # behind the hang-up on the server's loop
        asgi_site.client().models.list()
    let.set()
    assert replied.wait(LONGEST)
    if fails:
        until(lambda: asgi_site.row("joiner")["used"] == used)
    else:
        # Once it is stored it is free.
        until(lambda: asgi_site.post(asked(text), "spent")[0].status == 200)
        assert asgi_site.post(asked(text), "spent")[1] == sound(text, "mp3", 1)
        assert asgi_site.row("joiner")["used"] == used + len(text)


def test_errors_and_events(asgi_site: Site) -> None:
    answer, said = asgi_site.post(b" " * 12 * 1024 * 1024)
    assert (answer.status, json.loads(said)["error"]["code"]) == (413, "request_too_large")
    answer, said = asgi_site.post(asked(), "listener")
    assert answer.status == 403
    answer, said = asgi_site.post(asked("Hello", stream_format="sse"))
    assert said.count(b"\n\n") == said.count(b"data: ") > 1
    assert b"speech.audio.done" in said.rpartition(b"data: ")[2]


def test_a_cut_shows_as_one(asgi_site: Site) -> None:
    """It is cut when its beginning was heard: before, the vendor would be asked again."""
    text = phrase()
    tap = Tap(sound(text, "mp3", 1), pieces=4)
    tap.cut_after = 2
    tap.let(1)
    asgi_site.vendor.next.append(tap)

    async def visit(client: AsyncOpenAI) -> None:
        speech = client.audio.speech.with_streaming_response
        said = b""
        async with speech.create(**asked(text, stream_format="sse")) as answer:
            async for piece in answer.iter_bytes():
                said += piece
                tap.let()
        last = json.loads(said.split(b"data: ")[-1])
        assert last["error"]["code"] == "provider_failed"

    run(asgi_site, "usual", visit)


def test_models(asgi_site: Site) -> None:
    async def visit(client: AsyncOpenAI) -> None:
        assert [model.id async for model in client.models.list()] == ["tts-1"]

    run(asgi_site, "listener", visit)
