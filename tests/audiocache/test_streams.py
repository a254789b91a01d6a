"""One writer, many readers, each from the beginning; what a channel is for."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from audiocache.streams import PIECE, Broadcast, Channel, Channels, Turn, pieces_of


def landed() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(None)
    return future


def test_each_reader_reads_from_the_beginning_at_its_own_pace() -> None:
    broadcast = Broadcast(Channel())
    broadcast.send(b"ab")
    assert broadcast.read(0) == b"ab"
    broadcast.send(b"cd")
    assert (broadcast.read(2), broadcast.read(0), broadcast.read(4)) == (b"cd", b"abcd", b"")


def test_no_piece_is_longer_than_a_piece() -> None:
    broadcast = Broadcast(Channel())
    broadcast.send(bytes(PIECE + 5))
    assert (len(broadcast.read(0)), len(broadcast.read(PIECE))) == (PIECE, 5)
    assert [len(piece) for piece in pieces_of(bytes(2 * PIECE + 1))] == [PIECE, PIECE, 1]
    assert list(pieces_of(b"")) == []


def test_what_nobody_has_heard_can_begin_anew() -> None:
    broadcast = Broadcast(Channel())
    broadcast.send(b"first")
    assert broadcast.rewind()
    broadcast.send(b"second")
    assert broadcast.read(0) == b"second"
    assert not broadcast.rewind()
    assert broadcast.read(0) == b"second"


def test_to_read_nothing_is_not_to_have_heard() -> None:
    broadcast = Broadcast(Channel())
    assert broadcast.read(0) == b""
    assert broadcast.rewind()


def test_it_can_be_found_from_its_first_bytes_until_it_has_landed() -> None:
    channel = Channel()
    broadcast = Broadcast(channel)
    found = [channel.broadcast]
    broadcast.send(b"a")
    found.append(channel.broadcast)
    outcome = landed()
    broadcast.land(outcome)
    assert [*found, channel.broadcast] == [None, broadcast, None]
    assert broadcast.outcome is outcome
    assert broadcast.read(0) == b"a"


def test_one_that_lands_late_leaves_the_next_one_on_the_channel() -> None:
    channel = Channel()
    former, latter = Broadcast(channel), Broadcast(channel)
    former.send(b"a")
    latter.send(b"b")
    former.land(landed())
    assert channel.broadcast is latter


@pytest.mark.parametrize("change", ["send", "land"])
def test_every_change_wakes_all_who_wait(change: str) -> None:
    channel = Channel()
    broadcast = Broadcast(channel)
    turn = channel.turn
    waiters = [threading.Thread(target=turn.result, args=(5,)) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    broadcast.send(b"a") if change == "send" else broadcast.land(landed())
    for waiter in waiters:
        waiter.join(5)
    assert not any(waiter.is_alive() for waiter in waiters)
    assert not channel.turn.done()


def test_a_waiter_cannot_cancel_a_turn_for_the_others() -> None:
    channel = Channel()
    turn = channel.turn
    assert not turn.cancel()
    channel.stir()
    assert turn.done()


def test_a_task_that_leaves_takes_nothing_from_the_others() -> None:
    async def wait(channel: Channel) -> list[bool]:
        turn = channel.turn
        tasks = [asyncio.create_task(_await(turn)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.to_thread(channel.stir)
        await asyncio.wait(tasks, timeout=5)
        return [task.cancelled() for task in tasks]

    assert asyncio.run(wait(Channel())) == [True, False, False]


def test_every_loop_is_woken() -> None:
    channel = Channel()
    turn = channel.turn
    loops = [threading.Thread(target=asyncio.run, args=(_await(turn),)) for _ in range(2)]
    for loop in loops:
        loop.start()
    channel.stir()
    for loop in loops:
        loop.join(5)
    assert not any(loop.is_alive() for loop in loops)


async def _await(turn: Turn) -> None:
    await turn.awaited()


def test_a_channel_lives_as_long_as_somebody_holds_it() -> None:
    channels = Channels()
    held = channels.of("key")
    assert channels.of("key") is held
    assert channels.of("other") is not held
    Broadcast(held).send(b"a")
    held.broadcast.land(landed())  # type: ignore[union-attr]
    del held
    gc.collect()
    assert not channels._channels


def test_a_forked_child_has_channels_of_its_own() -> None:
    channels = Channels()
    held = channels.of("key")
    child = os.fork()
    if not child:
        os._exit(0 if channels.of("key") is not held else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert channels.of("key") is held


def test_many_readers_of_a_fast_writer_read_the_same() -> None:
    channel = Channel()
    broadcast = Broadcast(channel)
    sound = os.urandom(300_000)
    read: list[bytes] = []

    def listen() -> None:
        mine = bytearray()
        while True:
            turn, outcome = channel.turn, broadcast.outcome
            if piece := broadcast.read(len(mine)):
                mine += piece
            elif outcome:
                read.append(bytes(mine))
                return
            else:
                turn.result(5)

    readers = [threading.Thread(target=listen) for _ in range(8)]
    for reader in readers:
        reader.start()
    for start in range(0, len(sound), 1_000):
        broadcast.send(sound[start : start + 1_000])
    broadcast.land(landed())
    for reader in readers:
        reader.join(10)
    assert read == [sound] * 8
