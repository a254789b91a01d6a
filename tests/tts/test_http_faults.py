"""Whatever a server does: so many calls, such waits, back in time, a typed error, nothing kept.

Every row runs against each vendor over a real socket. The waits are real, fifty times shorter.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.models import RefusedClip
from tests.tts import tagged
from tests.tts.clips import encoded
from tests.tts.vendors import azure, elevenlabs, google, misbehaving, openai, polly
from tests.tts.vendors.misbehaving import OK
from tests.tts.vendors.server import Behaviour, Reply, Server
from tests.tts.vendors.sounds import sound
from tts import retry
from tts.attempts import Attempt, attempt_made
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import (
    ConnectionFailed,
    CutAnswer,
    NotAudio,
    ProviderDown,
    ProviderError,
    ProviderTimeout,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechTimeout,
    TTSError,
    WrongKey,
)
from tts.providers import bodies
from tts.refusals import CUT_MS, refusals_of
from tts.service import TTSService
from tts.speech import SpeechRequest

FASTER = 50
"""The waits are shortened by this factor."""
GRACE = 0.3
"""Seconds after its deadline at which a caller is back."""
SHORT = 0.5
"""Seconds of the deadline where a server is meant to reach it."""

SECRET_TEXT = "The password of the harbour master is Kabeljau."
MP3 = sound(SECRET_TEXT, "mp3_44100_128")

VENDORS: dict[str, Any] = {
    "azure": azure,
    "elevenlabs": elevenlabs,
    "google": google,
    "openai": openai,
    "polly": polly,
}

THRICE = ((0.75, 1.25), (1.5, 2.5), (3.0, 5.0))
TWICE = ((0.375, 0.625), (0.75, 1.25))
ONCE = TWICE[:1]


@dataclass
class Row:
    """What a server does, and what must come of it."""

    name: str
    behave: Callable[[Callable[[], Server]], Behaviour]
    kind: type[TTSError] | tuple[type[TTSError], ...]
    waits: tuple[tuple[float, float], ...] = ()
    """Bounds of each wait in seconds; there is one call more than waits."""
    timeout: float = 30.0
    calls: int | None = None
    status: int | None = None
    vendors: tuple[str, ...] = tuple(VENDORS)


def says(status: int, **headers: str) -> Callable[[Callable[[], Server]], Behaviour]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Reply(status, b"", named)


def does(behaviour: Behaviour) -> Callable[[Callable[[], Server]], Behaviour]:
    return lambda _: behaviour


def in_three_seconds(_: Callable[[], Server]) -> Behaviour:
    def behave(line: Any, heard: Any) -> bool:
        now = time.time()
        dates = {"Date": formatdate(now, usegmt=True)}
        dates["Retry-After"] = formatdate(now + 3, usegmt=True)
        return Reply(429, b"", dates)(line, heard)

    return behave


LATE = (ProviderTimeout, SpeechTimeout)
"""The caller's wait and the call end at the same instant: one of them is first."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"8000\r\n" + MP3[:4] + bytes(0x8000 - 4) + b"\r\n"

STATUSES = [
    Row("429", says(429), RateLimited, THRICE),
    Row("429, wait 2", says(429, Retry_After="2"), RateLimited, ((2, 2.5), (2, 2.5), (3, 5))),
    Row("429, wait until", in_three_seconds, RateLimited, ((3, 3.75), (3, 3.75), (3, 5))),
    Row("429, wait 0", says(429, Retry_After="0"), RateLimited, THRICE),
    Row("429, wait 10000", says(429, Retry_After="10000"), RateLimited),
    Row("429, wait long", says(429, Retry_After="9" * 5000), RateLimited),
    Row("429, wait what", says(429, Retry_After="soon"), RateLimited, THRICE),
    Row("429, past the deadline", says(429, Retry_After="9"), RateLimited, timeout=5),
    Row("500", says(500), ProviderDown, TWICE),
    Row("503", says(503), ProviderDown, TWICE),
    Row("503, wait 1", says(503, Retry_After="1"), ProviderDown, ((1, 1.25), (1, 1.25))),
    Row("529", says(529), ProviderDown, TWICE),
    Row("400", says(400), RequestRefused),
    Row("401", says(401), WrongKey),
    Row("402", says(402), QuotaSpent),
    Row("403", says(403), WrongKey),
    Row("404", says(404), RequestRefused),
    Row("408", says(408), RequestRefused),
    Row("422", says(422), RequestRefused),
    *(Row("no more credit", does(VENDORS[it].QUOTA), QuotaSpent, vendors=(it,)) for it in VENDORS),
    *(Row("busy", does(VENDORS[it].BUSY), RateLimited, THRICE, vendors=(it,)) for it in VENDORS),
    Row("a wrong call", does(openai.WRONG), RequestRefused, vendors=("openai",)),
    Row(
        "no more credit, and a length that is too long",
        does(misbehaving.too_long_a_length(elevenlabs.QUOTA)),
        QuotaSpent,
        vendors=("elevenlabs",),
    ),
    Row("redirect to a file", does(misbehaving.redirect(302, "file:///etc/hosts")), RequestRefused),
    Row(
        "redirect to a link-local address",
        does(misbehaving.redirect(307, "http://169.254.169.254/latest")),
        RequestRefused,
    ),
    Row("redirect to itself", does(misbehaving.redirect(308, "")), RequestRefused),
    Row(
        "redirect with an endless body",
        lambda s: misbehaving.endless(s, b"HTTP/1.1 301 Go\r\nLocation: /\r\n\r\n", bytes(65536)),
        RequestRefused,
    ),
    Row("an error that is a bomb", does(misbehaving.bomb(400)), RequestRefused),
]

BROKEN = [
    Row("reset", does(misbehaving.reset), ConnectionFailed, TWICE),
    Row("closed at once", does(misbehaving.raw(b"")), ConnectionFailed, TWICE),
    Row("closed in the first line", does(misbehaving.raw(b"HTTP/1.")), ConnectionFailed, TWICE),
    Row("closed in the headers", does(misbehaving.cut_in_headers()), ConnectionFailed, TWICE),
    Row("closed behind a header", does(misbehaving.raw(OK)), ConnectionFailed, TWICE),
    Row("two lengths", does(misbehaving.two_lengths(MP3)), ConnectionFailed, TWICE),
    Row("no HTTP", does(misbehaving.raw(b"SSH-2.0-x\r\n")), ConnectionFailed, TWICE),
    Row(
        "a header without end",
        lambda s: misbehaving.endless(s, b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096),
        ConnectionFailed,
        TWICE,
    ),
    Row("closed in a body with length", does(misbehaving.cut_with_length(MP3)), CutAnswer, ONCE),
    Row("closed in a body without", does(misbehaving.cut_without_length(MP3)), NotAudio, ONCE),
    Row("closed in a chunk", does(misbehaving.cut_in_a_chunk(MP3)), CutAnswer, ONCE),
    Row("closed between chunks", does(misbehaving.cut_between_chunks(MP3)), CutAnswer, ONCE),
    Row("too short a length", does(misbehaving.too_short_a_length(MP3)), NotAudio, ONCE),
    Row(
        "an endless body",
        lambda s: misbehaving.endless(s, OK + b"\r\n", MP3),
        NotAudio,
        ONCE,
    ),
    Row("endless chunks", lambda s: misbehaving.endless(s, CHUNKED, CHUNK), NotAudio, ONCE),
    Row(
        "a length of terabytes",
        lambda s: misbehaving.endless(s, OK + b"Content-Length: 9999999999999\r\n\r\n", MP3),
        NotAudio,
        ONCE,
    ),
    Row("a gzip bomb", does(misbehaving.bomb(200)), NotAudio, ONCE),
    Row("empty", does(Reply(200)), NotAudio, ONCE),
    Row("204", does(Reply(204)), NotAudio, ONCE),
    Row("JSON", does(Reply(200, b'{"error": {}}')), NotAudio, ONCE),
    Row(
        "HTML", does(Reply(200, b"<!doctype html>", {"Content-Type": "audio/mpeg"})), NotAudio, ONCE
    ),
]

SLOW = [
    Row("never an answer", misbehaving.silence, LATE, timeout=SHORT),
    Row(
        "a drip of header bytes",
        lambda s: misbehaving.drip(s, b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        LATE,
        timeout=SHORT,
    ),
    Row(
        "a drip of headers",
        lambda s: misbehaving.drip(s, b"", CONTINUE, pace=0.005),
        LATE,
        timeout=SHORT,
    ),
    Row(
        "a drip of body bytes",
        lambda s: misbehaving.drip(s, OK + b"Content-Length: 9999\r\n\r\n", b"x"),
        LATE,
        timeout=SHORT,
    ),
    Row(
        "a drip of chunks",
        lambda s: misbehaving.drip(s, CHUNKED, b"1\r\nx\r\n"),
        LATE,
        timeout=SHORT,
    ),
    Row(
        "too long a length",
        lambda s: misbehaving.drip(s, OK + b"Content-Length: 99999\r\n\r\n" + MP3, b"", pace=1),
        LATE,
        timeout=SHORT,
    ),
    Row(
        "a drip of an error's body",
        lambda s: misbehaving.drip(s, b"HTTP/1.1 500 No\r\n\r\n", b"x"),
        (*LATE, ProviderDown),
        timeout=SHORT,
    ),
]


@dataclass
class Told:
    """What a run has shown."""

    error: TTSError
    seconds: float
    waits: list[float]
    attempts: list[Attempt]


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("row", "vendor"),
    [
        pytest.param(row, vendor, id=f"{row.name}-{vendor}")
        for row in (*STATUSES, *BROKEN, *SLOW)
        for vendor in row.vendors
    ],
)
def test_whatever_a_server_does(row: Row, vendor: str) -> None:
    sockets, threads = open_sockets(), ours()
    with Server(row.behave(lambda: server)) as server, speaking(server, vendor, row) as service:
        told = run(service)
        lines_left_by(server)
        assert service.cache.tiers["memory"].stats()["entry_count"] == 0
    assert isinstance(told.error, row.kind)
    assert len(server.heard) == len(row.waits) + 1 == len(told.attempts)
    check_waits(told.waits, server.waits, row.waits)
    assert told.seconds < row.timeout + GRACE
    check_says_nothing(told.error, VENDORS[vendor].KEY)
    assert open_sockets() == sockets
    assert ours() <= threads


HEARD = {
    "closed in a body with length",
    "closed in a body without",
    "closed in a chunk",
    "closed between chunks",
    "too short a length",
    "an endless body",
    "endless chunks",
}
"""Of these a listener hears a part: what comes then is in test_streaming."""


@pytest.mark.untraced
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row.name)
        for row in (*STATUSES, *BROKEN, *SLOW)
        if row.name not in HEARD and "elevenlabs" in row.vendors
    ],
)
def test_whatever_a_server_does_before_a_listener_hears_a_byte(row: Row) -> None:
    threads = ours()
    with (
        Server(row.behave(lambda: server)) as server,
        speaking(server, "elevenlabs", row) as service,
    ):
        told = run(service, lambda request: list(service.stream_sync(request)))
        lines_left_by(server)
        assert service.cache.tiers["memory"].stats()["entry_count"] == 0
    assert isinstance(told.error, row.kind)
    assert len(server.heard) == len(row.waits) + 1 == len(told.attempts)
    check_waits(told.waits, server.waits, row.waits)
    assert told.seconds < row.timeout + GRACE
    check_says_nothing(told.error, elevenlabs.KEY)
    assert ours() <= threads


def frames(rate: int) -> bytes:
    """Of MP3, without what says how long it is."""
    return tagged.without_xing(sound(SECRET_TEXT, f"mp3_{rate}"))


NO_SOUND: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "another format": ("audio/ogg, not audio/mpeg", lambda _: sound(SECRET_TEXT, "opus_48000")),
    "half a clip": ("no whole audio/mpeg", lambda _: MP3[: len(MP3) // 2]),
    "silence": ("silent", lambda rate: encoded(bytes(6 * rate), rate, "mp3")),
    "too short": ("lasts 0.", lambda rate: tagged.first_frames(frames(rate), 0.05, rate)),
    "too long": ("lasts 1", lambda rate: frames(rate) * 40),
}
"""What is answered at a rate, and what is said of it."""


@pytest.mark.untraced
@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("what", NO_SOUND)
def test_what_is_no_whole_sound_under_a_right_length(what: str, vendor: str) -> None:
    why, make = NO_SOUND[what]
    body = make(44_100 if vendor == "elevenlabs" else 24_000)
    if vendor == "google":
        body = json.dumps({"audioContent": base64.b64encode(body).decode()}).encode()
    row = Row(what, says(200), NotAudio)
    with Server(Reply(200, body)) as server, speaking(server, vendor, row) as service:
        told = run(service)
        assert service.cache.tiers["memory"].stats()["entry_count"] == 0
    assert why in str(told.error)
    assert [attempt.outcome for attempt in told.attempts] == ["not_audio"] * 2
    assert len(server.heard) == 2
    check_waits(told.waits, [], ONCE)
    check_says_nothing(told.error, VENDORS[vendor].KEY)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_refused_connection_is_tried_three_times(vendor: str) -> None:
    row = Row("refused", says(200), ConnectionFailed)
    with Server(Reply()) as server:
        pass
    with speaking(server, vendor, row) as service:
        told = run(service)
    assert isinstance(told.error, ConnectionFailed)
    assert "refused" in str(told.error)
    assert [attempt.outcome for attempt in told.attempts] == ["connection_failed"] * 3
    check_waits(told.waits, [], TWICE)
    check_says_nothing(told.error, VENDORS[vendor].KEY)


@pytest.mark.parametrize("vendor", VENDORS)
def test_after_a_failure_the_next_call_succeeds(vendor: str) -> None:
    with VENDORS[vendor].server() as server, speaking(server, vendor, None) as service:
        server.next += [Reply(503), misbehaving.cut_in_a_chunk(MP3), Reply(429)]
        assert isinstance(run(service).error, CutAnswer)  # the second answer may have been paid for
        speech = service.synthesize_sync(SpeechRequest("Another one."))
        assert speech.tier == "provider"
        assert len(server.heard) == 4
        assert service.synthesize_sync(SpeechRequest("Another one.")).tier == "memory"


def test_an_error_is_not_waited_for_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "ERROR_SECONDS", 0.1)
    busy = b"HTTP/1.1 429 Wait\r\nRetry-After: 0\r\n\r\n{"
    row = Row("", says(429), RateLimited)
    with (
        Server(misbehaving.drip(lambda: server, busy, b" ")) as server,
        speaking(server, "openai", row) as service,
    ):
        told = run(service)
    assert isinstance(told.error, RateLimited)
    assert len(server.heard) == 4
    assert told.seconds < 1.5


@pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])
@pytest.mark.parametrize("vendor", ["elevenlabs", "openai", "polly"])
def test_what_the_network_cut_is_kept_and_soon_asked_for_again(vendor: str) -> None:
    text, ends = f"The {vendor} of the harbour.", set()
    with (
        VENDORS[vendor].server() as server,
        speaking(server, vendor, None, CacheConfig(backend="database")) as service,
        retry.without_waits(),
    ):
        whole = service.provider.synthesize(
            service.complete(SpeechRequest(text)).spoken(), Deadline.after(20)
        ).audio
        server.next += [misbehaving.too_long_a_length(Reply(200, whole))] * 2
        for _ in range(2):
            with pytest.raises(NotAudio, match="broke off") as caught:
                service.synthesize_sync(SpeechRequest(text))
            assert caught.value.until is not None
            ends.add(caught.value.until)
        assert len(server.heard) == 3
        [end] = ends
        assert end < datetime.now(UTC) + timedelta(milliseconds=CUT_MS)
        [row] = RefusedClip.objects.using("audiocache").filter(provider=vendor)
        assert bytes(row.audio or b"") == whole
        refusals_of(service.cache)._clock = lambda: now_ms() + CUT_MS
        assert service.synthesize_sync(SpeechRequest(text)).tier == "provider"


def test_real_waits_are_seen_by_the_server() -> None:
    with (
        Server(Reply(503)) as server,
        speaking(server, "openai", None) as service,
        pytest.raises(ProviderDown),
    ):
        service.synthesize_sync(SpeechRequest(SECRET_TEXT))
    for wait, (least, most) in zip(server.waits, TWICE, strict=True):
        assert least <= wait < most + GRACE


@contextmanager
def speaking(
    server: Server, vendor: str, row: Row | None, kept: CacheConfig | None = None
) -> Iterator[TTSService]:
    """A service that asks this server as this vendor; at its end nothing of it is left."""
    cache = MultiTierAudioCache(kept or CacheConfig(backend="memory"))
    config = TTSConfig(
        provider=vendor,
        api_key=VENDORS[vendor].KEY,
        model={"openai": "tts-1"}.get(vendor),
        region={"polly": "eu-central-1"}.get(vendor),
        format="mp3",
        master="none",
        base_url=server.url + {"openai": "/v1"}.get(vendor, ""),
        timeout=row.timeout if row else 30,
    )
    service = TTSService(config, cache=cache)
    try:
        yield service
    finally:
        cache.close()
        service.close()


def run(service: TTSService, ask: Callable[[SpeechRequest], object] | None = None) -> Told:
    ask = ask or service.synthesize_sync
    attempts: list[Attempt] = []
    waits: list[float] = []

    def hear(attempt: Attempt, **_: object) -> None:
        attempts.append(attempt)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds / FASTER)

    attempt_made.connect(hear)
    former = retry.set_waiting(wait)
    started = time.monotonic()
    try:
        with pytest.raises(TTSError) as caught:
            ask(SpeechRequest(SECRET_TEXT))
        seconds = time.monotonic() - started
        service.cache.close()  # waits for a call that goes on after its caller left
    finally:
        retry.set_waiting(former)
        attempt_made.disconnect(hear)
    return Told(caught.value, seconds, waits, attempts)


def check_waits(
    waits: list[float], seen: list[float], bounds: tuple[tuple[float, float], ...]
) -> None:
    assert len(waits) == len(bounds)
    for wait, (least, most) in zip(waits, bounds, strict=True):
        assert least <= wait <= most
    for wait, gap in zip(waits, seen, strict=False):
        assert wait / FASTER <= gap < wait / FASTER + GRACE


def check_says_nothing(error: BaseException, key: str) -> None:
    """Neither text nor key, nor anything that holds them, in the error or in those behind it."""
    seen: BaseException | None = error
    while seen is not None:
        shown = f"{seen!s} {seen!r} {seen.args} {vars(seen)}"
        assert not any(w in shown for w in (*key.split(":"), "Kabeljau", "localhost", "harbour"))
        ours = type(seen).__module__.partition(".")[0] in {"tts", "audiocache"}
        assert ours or type(seen) is TimeoutError
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, ProviderError):
        assert error.provider in VENDORS


def lines_left_by(server: Server) -> None:
    """The client keeps at most the one line that it may use again."""
    assert server.open_lines <= 1


def open_sockets() -> int:
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(descriptor.readlink()).startswith("socket:")
    return found


def ours() -> set[threading.Thread]:
    """Threads that look up and make."""
    names = ("audiocache-making", "audiocache-lookup")
    return {one for one in threading.enumerate() if one.is_alive() and one.name.startswith(names)}
