"""Over the wire: lines that are kept, closed and renewed; TLS; nothing of the environment."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.tts.vendors import misbehaving
from tests.tts.vendors.server import Heard, Reply, Server
from tts.deadline import Deadline
from tts.exceptions import ConnectionFailed, CutAnswer, NotAudio, ProviderTimeout, RequestRefused
from tts.providers import sockets
from tts.providers.calls import HttpAnswer, HttpCall
from tts.providers.heads import MAX_INTERIM
from tts.providers.wire import Wire

LIMIT = 100_000


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Reply(body=b"sound", headers={"Set-Cookie": "a=b", "X-Thing": "1"})) as server:
        yield server


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire("test")
    yield wire
    wire.close()


def send(wire: Wire, server: Server, seconds: float = 5, limit: int = LIMIT, **call: Any) -> Any:
    return wire.send(HttpCall(f"{server.url}/v1", **call), Deadline.after(seconds), limit)


def test_an_answer_is_a_value_that_shows_nothing(wire: Wire, server: Server) -> None:
    call = HttpCall(server.url, headers={"X-Key": "secret"}, json={"text": "secret"})
    answer = wire.send(call, Deadline.after(5), LIMIT)
    assert (answer.status, answer.ok, answer.body) == (200, True, b"sound")
    assert answer.headers["x-thing"] == "1"
    assert "secret" not in repr(call)
    assert "sound" not in repr(answer)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    "before",
    [HINTS, CONTINUE, CONTINUE + HINTS + HINTS, b"HTTP/1.1 102 Processing\r\n\r\n" * MAX_INTERIM],
    ids=["hints", "continue", "several", "many"],
)
def test_what_announces_an_answer_is_no_answer(wire: Wire, server: Server, before: bytes) -> None:
    server.next.append(misbehaving.raw(before + ANSWER))
    answer = send(wire, server)
    assert (answer.status, answer.body) == (200, b"sound")
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    "sent",
    [
        HINTS,
        HINTS[:-4],
        HINTS * (MAX_INTERIM + 1) + ANSWER,
        HINTS[:-2] + b"X: y\r\n" * 100 + b"\r\n" + ANSWER,
        HINTS + ANSWER[:20],
    ],
    ids=["alone", "cut", "too many", "endless", "cut behind it"],
)
def test_announcements_without_an_answer_are_a_failure(
    wire: Wire, server: Server, sent: bytes
) -> None:
    server.next.append(misbehaving.raw(sent))
    with pytest.raises(ConnectionFailed):
        send(wire, server)


def test_another_protocol_is_no_announcement(wire: Wire, server: Server) -> None:
    server.next.append(misbehaving.raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ANSWER))
    assert not send(wire, server).ok


def test_a_success_is_taken_as_it_comes(wire: Wire, server: Server) -> None:
    taken: list[bytes] = []
    server.next.append(Reply(body=b"sound" * 4, chunk=5))
    answer = wire.send(HttpCall(server.url), Deadline.after(5), LIMIT, taken.append)
    assert b"".join(taken) == answer.body == b"sound" * 4


def test_no_byte_of_an_error_nor_past_the_limit_is_taken(wire: Wire, server: Server) -> None:
    taken: list[bytes] = []
    server.next += [Reply(500, b"sorry"), Reply(body=b"sound" * 100, chunk=5)]
    assert not wire.send(HttpCall(server.url), Deadline.after(5), 9, taken.append).ok
    with pytest.raises(NotAudio) as caught:
        wire.send(HttpCall(server.url), Deadline.after(5), 9, taken.append)
    assert len(b"".join(taken)) <= 9
    assert not isinstance(caught.value, CutAnswer)


def test_a_cut_answer_is_told_from_an_unfit_one(wire: Wire, server: Server) -> None:
    server.next.append(misbehaving.cut_in_a_chunk(b"sound" * 100))
    with pytest.raises(CutAnswer) as caught:
        send(wire, server)
    assert caught.value.recording


def test_what_is_sent(wire: Wire, server: Server) -> None:
    send(wire, server, headers={"X-Key": "k"}, params={"a": "b c"}, json={"text": "é"})
    send(wire, server, method="PUT", data=b"<speak/>")
    first, second = server.heard
    assert (first.method, first.path, first.query) == ("POST", "/v1", {"a": "b c"})
    assert first.json() == {"text": "é"}
    assert first.headers["x-key"] == "k"
    assert first.headers["accept-encoding"] == "identity"
    assert first.headers["user-agent"] == "django-audiocache"
    assert (second.method, second.body) == ("PUT", b"<speak/>")
    assert "cookie" not in second.headers
    assert "x-key" not in second.headers


def test_one_line_serves_a_thread(wire: Wire, server: Server) -> None:
    for _ in range(5):
        send(wire, server)
    server.behave = Reply(404, b"no")
    send(wire, server)
    server.behave = Reply(body=b"x" * 50_000, chunk=1000)
    assert len(send(wire, server).body) == 50_000
    send(wire, server)
    assert server.connections == 1


def test_a_line_that_was_closed_meanwhile_is_replaced(wire: Wire, server: Server) -> None:
    server.next.append(misbehaving.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"))
    send(wire, server)
    time.sleep(0.1)
    assert send(wire, server).body == b"sound"
    assert server.connections == 2


@pytest.mark.parametrize("coding", ["", "  ", "identity", "Identity"])
def test_a_coding_that_is_none_is_none(wire: Wire, server: Server, coding: str) -> None:
    server.behave = Reply(body=b"sound", headers={"Content-Encoding": coding})
    assert send(wire, server).body == b"sound"


def test_what_follows_an_answer_is_not_the_next_answer(wire: Wire, server: Server) -> None:
    def too_much(line: socket.socket, heard: Heard) -> bool:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        time.sleep(0.05)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        return True

    server.next.append(too_much)
    send(wire, server)
    time.sleep(0.2)
    assert send(wire, server).body == b"sound"


def test_each_thread_has_its_own_line_and_takes_it_along(wire: Wire, server: Server) -> None:
    threads = [threading.Thread(target=send, args=(wire, server)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del threads, thread
    gc.collect()
    assert server.connections == 8
    eventually_without_lines(server)


def test_closing_closes_the_lines_of_all_threads(wire: Wire, server: Server) -> None:
    done, leave = threading.Event(), threading.Event()

    def speak() -> None:
        send(wire, server)
        done.set()
        leave.wait(5)

    thread = threading.Thread(target=speak)
    thread.start()
    send(wire, server)
    done.wait(5)
    wire.close()
    eventually_without_lines(server)
    leave.set()
    thread.join()
    assert send(wire, server).ok  # it may be used again


def test_a_child_opens_a_line_of_its_own(wire: Wire, server: Server) -> None:
    send(wire, server)
    former = wire._local
    wire.after_fork()
    assert send(wire, server).ok
    assert server.connections == 2
    former.session.close()


def test_the_environment_changes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine localhost login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    wire = Wire("test")
    assert send(wire, server).ok
    assert "authorization" not in server.heard[0].headers
    wire.close()


def test_a_proxy_is_used_where_one_is_configured(server: Server) -> None:
    wire = Wire("test", proxy=server.url)
    answer = wire.send(HttpCall("http://vendor.invalid/x"), Deadline.after(5), LIMIT)
    assert answer.ok
    assert server.heard[0].path == "/x"
    assert server.heard[0].headers["host"] == "vendor.invalid"
    wire.close()


@pytest.mark.parametrize(
    ("url", "headers", "kind"),
    [
        ("http://vendor.invalid/", {}, ConnectionFailed),
        ("http://[::1", {}, RequestRefused),
        ("ftp://localhost/", {}, RequestRefused),
        ("http://localhost/", {"X-Key": "secret\nX: y"}, RequestRefused),
        ("http://localhost:1/", {"X-Key": "secret☃"}, RequestRefused),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_shows_nothing(
    wire: Wire, url: str, headers: dict[str, str], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        wire.send(HttpCall(url, headers=headers), Deadline.after(5), LIMIT)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_lengths_that_contradict_each_other_are_the_servers_fault(
    wire: Wire, server: Server
) -> None:
    server.behave = misbehaving.two_lengths(b"sound")
    with pytest.raises(ConnectionFailed, match="contradict") as caught:
        send(wire, server)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_deadline_that_passes_just_before_the_call_is_a_time_out(
    wire: Wire, server: Server
) -> None:
    ticks = iter([0.0, *[9.0] * 20])
    with pytest.raises(ProviderTimeout):
        wire.send(HttpCall(server.url), Deadline(5, lambda: next(ticks)), LIMIT)
    assert not server.heard


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK", misbehaving.OK, misbehaving.OK + b"X: y"])
def test_headers_without_their_end_are_no_answer(wire: Wire, server: Server, head: bytes) -> None:
    server.next.append(misbehaving.raw(head))
    with pytest.raises(ConnectionFailed):
        send(wire, server)
    server.next.append(misbehaving.raw(misbehaving.OK + b"\r\n"))
    assert send(wire, server).body == b""
    assert send(wire, server).body == b"sound"


def test_what_came_before_the_line_broke_is_kept(wire: Wire, server: Server) -> None:
    server.behave = misbehaving.too_long_a_length(Reply(body=b"sound"))
    with pytest.raises(CutAnswer) as caught:
        send(wire, server)
    assert caught.value.recording is not None
    assert caught.value.recording.audio == b"sound"
    server.behave = misbehaving.too_long_a_length(Reply(401, b"words"))
    assert send(wire, server).body == b"words"


def test_a_whole_answer_may_have_its_limit_and_no_byte_more(wire: Wire, server: Server) -> None:
    server.behave = Reply(body=b"x" * 1000, chunk=100)
    assert len(send(wire, server, limit=1000).body) == 1000
    with pytest.raises(NotAudio, match="longer than the 999 bytes"):
        send(wire, server, limit=999)


def test_an_address_that_does_not_answer_is_left_for_the_next(
    server: Server, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.url.rpartition(":")[2])
    deaf = socket.create_server(("127.0.0.1", 0), backlog=0)
    calls = [socket.create_connection(deaf.getsockname())]  # its queue is full now
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    addresses = [(*tcp, deaf.getsockname()), (*tcp, ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.2)
    assert send(wire, server).ok
    for line in (deaf, *calls):
        line.close()


# TLS


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """A certificate for localhost that this process trusts."""
    authority = trustme.CA()
    certificate = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sockets._tls.cache_clear()
    yield context
    sockets._tls.cache_clear()


def test_tls_works_and_keeps_its_line(tls: ssl.SSLContext, wire: Wire) -> None:
    with Server(Reply(body=b"x" * 50_000, chunk=1000), tls) as server:
        for _ in range(3):
            assert len(send(wire, server, json={"text": "y" * 200_000}).body) == 50_000
        assert server.connections == 1
        wire.close()


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", misbehaving.OK + b"\r\n"])
def test_a_drip_over_tls_ends_at_the_deadline(tls: ssl.SSLContext, wire: Wire, head: bytes) -> None:
    with Server(misbehaving.drip(lambda: dripping, head, b"y"), tls) as dripping:
        started = time.monotonic()
        with pytest.raises(ProviderTimeout):
            send(wire, dripping, seconds=0.5)
        assert time.monotonic() - started < 0.8


def test_a_handshake_that_never_ends_does(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        url = f"https://localhost:{deaf.getsockname()[1]}"
        with pytest.raises(ProviderTimeout):
            wire.send(HttpCall(url), Deadline.after(0.5), LIMIT)
        assert time.monotonic() - started < 0.8


def test_a_certificate_that_is_not_trusted_is_said(
    tls: ssl.SSLContext, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    sockets._tls.cache_clear()
    with Server(Reply(), tls) as server, pytest.raises(ConnectionFailed, match="not trusted"):
        send(wire, server)


def test_a_server_that_does_not_read_is_left_at_the_deadline(wire: Wire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        started = time.monotonic()
        url = f"http://localhost:{deaf.getsockname()[1]}"
        with pytest.raises(ProviderTimeout):
            wire.send(HttpCall(url, data=bytes(50_000_000)), Deadline.after(0.5), LIMIT)
        assert time.monotonic() - started < 0.8


@pytest.mark.parametrize(
    ("value", "number"), [("7", 7), ("", None), ("x", None), ("-1", None), ("9" * 40, None)]
)
def test_a_number_in_a_header(value: str, number: int | None) -> None:
    assert HttpAnswer(200, {"N": value}, b"").number("N") == number
    assert HttpAnswer(200, {}, b"").number(None) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 60_000])
def test_what_is_no_json_is_none(body: bytes) -> None:
    assert HttpAnswer(400, {}, body).json() is None


def eventually_without_lines(server: Server) -> None:
    end = time.monotonic() + 2
    while server.open_lines and time.monotonic() < end:
        time.sleep(0.01)
    assert server.open_lines == 0
