"""The official SDK against the API under gunicorn, in two processes."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.tts.api.conftest import GUNICORN, Site, running
from tests.tts.serving import SECONDS
from tests.tts.vendors.misbehaving import cut_between_chunks
from tests.tts.vendors.openai import KEY, WRONG, refusal
from tests.tts.vendors.server import Behaviour, Reply
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.tap import Tap
from tts.formats import content_type_of

if TYPE_CHECKING:
    import openai
else:
    from tests.tts.api import sdk as openai

ROUNDS = 20
FIRST_BYTE_SECONDS = 0.05
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


def phrase() -> str:
    """One that nobody has asked for."""
    return f"The ferry {uuid4().hex[:12]} leaves."


def asked(text: str | None = None, **more: Any) -> dict[str, Any]:
    return {"model": "tts-1", "voice": "alloy", "input": text or phrase(), **more}


@pytest.mark.parametrize("audio_format", FORMATS)
def test_each_format_is_paid_for_once(site: Site, audio_format: str) -> None:
    text, calls = phrase(), len(site.vendor.heard)
    speech = site.client().audio.speech
    request = asked(text, response_format=audio_format)
    first = speech.create(**request)
    assert first.content == sound(text, audio_format, 1)
    assert first.response.headers["content-type"] == content_type_of(audio_format)
    second = speech.create(**request)
    assert second.content == first.content
    assert second.response.headers["content-length"] == str(len(first.content))
    assert len(site.vendor.heard) == calls + 1


def test_another_format_is_free(site: Site) -> None:
    """Also for a caller who has nothing left of his day."""
    text, calls = phrase(), len(site.vendor.heard)
    spent = site.client("spent").audio.speech
    with pytest.raises(openai.RateLimitError):
        spent.create(**asked(text))
    site.client().audio.speech.create(**asked(text, response_format="wav"))
    for audio_format in FORMATS:
        assert spent.create(**asked(text, response_format=audio_format)).content
    assert len(site.vendor.heard) == calls + 1


def test_mp3_and_wav_at_the_same_moment_are_one_call(site: Site) -> None:
    text, calls = phrase(), len(site.vendor.heard)
    speech = site.client().audio.speech

    def heard(audio_format: str) -> bytes:
        return speech.create(**asked(text, response_format=audio_format)).content

    with ThreadPoolExecutor(8) as pool:
        clips = list(pool.map(heard, ["mp3", "wav"] * 4))
    assert len(set(clips)) == 2
    assert len(site.vendor.heard) == calls + 1


def test_a_miss_is_heard_while_it_is_made(site: Site) -> None:
    """The second piece is let by whoever has heard the first one."""
    text = phrase()
    tap = Tap(sound(text, "mp3", 1), pieces=2)
    site.vendor.next.append(tap)
    tap.let(1)
    with site.client().audio.speech.with_streaming_response.create(**asked(text)) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        heard = b""
        for piece in answer.iter_bytes():
            heard += piece
            tap.let()
    assert heard == sound(text, "mp3", 1)


def test_the_first_byte_is_fifty_milliseconds_behind_the_vendors(site: Site) -> None:
    """The quickest of some rounds counts: the machine has other work, too."""
    lates: list[float] = []
    while len(lates) < ROUNDS and min(lates, default=1.0) > FIRST_BYTE_SECONDS:
        text = phrase()
        tap = Tap(sound(text, "mp3", 1), pieces=2)
        site.vendor.next.append(tap)
        tap.let(1)
        with site.client().audio.speech.with_streaming_response.create(**asked(text)) as answer:
            next(pieces := answer.iter_bytes())
            lates.append(time.monotonic() - tap.sent[0])
            tap.let()
            assert list(pieces)
    assert min(lates) <= FIRST_BYTE_SECONDS, lates


def test_events(site: Site) -> None:
    text = phrase()
    for _ in range(2):  # made, then stored
        answer, body = site.post(asked(text, stream_format="sse"))
        assert answer.getheader("Content-Type") == "text/event-stream"
        events = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line]
        heard = [base64.b64decode(event["audio"]) for event in events[:-1]]
        assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
        assert b"".join(heard) == sound(text, "mp3", 1)
        assert events[-1]["type"] == "speech.audio.done"
        assert events[-1]["usage"]["input_tokens"] == len(text)


def test_32_calls_for_a_new_phrase_pay_once(site: Site) -> None:
    text, calls = phrase(), len(site.vendor.heard)
    speech = site.client().audio.speech
    with ThreadPoolExecutor(32) as pool:
        heard = list(pool.map(lambda _: speech.create(**asked(text)).content, range(32)))
    assert set(heard) == {sound(text, "mp3", 1)}
    assert len(site.vendor.heard) == calls + 1


WRONG_BODIES = [
    ({"input": ""}, "BadRequestError", "input", "empty_string"),
    ({"input": "  \n"}, "BadRequestError", "input", "empty_string"),
    ({"input": "x" * 4097}, "BadRequestError", "input", "string_above_max_length"),
    ({"input": "a\x00b"}, "BadRequestError", "input", "invalid_string"),
    ({"input": 5}, "BadRequestError", "input", "invalid_type"),
    ({"input": None}, "BadRequestError", "input", "invalid_type"),
    ({"voice": 5}, "BadRequestError", "voice", "invalid_type"),
    ({"voice": {"name": "x"}}, "BadRequestError", "name", "unknown_parameter"),
    ({"voice": {}}, "BadRequestError", "voice.id", "missing_required_parameter"),
    ({"voice": "no\nbody"}, "BadRequestError", "voice", "invalid_string"),
    ({"response_format": "ogg"}, "BadRequestError", "response_format", "invalid_value"),
    ({"speed": 0.2}, "BadRequestError", "speed", "number_below_min_value"),
    ({"speed": 4.1}, "BadRequestError", "speed", "number_above_max_value"),
    ({"speed": True}, "BadRequestError", "speed", "invalid_type"),
    ({"speed": "fast"}, "BadRequestError", "speed", "invalid_type"),
    ({"instructions": "x" * 4097}, "BadRequestError", "instructions", None),
    ({"stream_format": "chunks"}, "BadRequestError", "stream_format", "invalid_value"),
    ({"extra_body": {"loud": True}}, "BadRequestError", "loud", "unknown_parameter"),
]


@pytest.mark.parametrize(("wrong", "error", "param", "code"), WRONG_BODIES)
def test_a_wrong_body_is_a_typed_error(
    site: Site, wrong: dict[str, Any], error: str, param: str, code: str
) -> None:
    calls = len(site.vendor.heard)
    with pytest.raises(getattr(openai, error)) as caught:
        site.client().audio.speech.create(**asked("Hello") | wrong)
    assert caught.value.param == param
    assert caught.value.code == code or code is None
    assert caught.value.type == "invalid_request_error"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(site.vendor.heard) == calls


RAW: list[tuple[bytes, int, str | None]] = [
    (b'{"model": "tts-1", "voice": "alloy"}', 400, "missing_required_parameter"),
    (b'{"voice": "alloy", "input": "Hello"}', 400, "missing_required_parameter"),
    (b'{"model": "tts-1", "voice": "alloy", "input": "Hi", "speed": NaN}', 400, "invalid_value"),
    (b'{"model": "tts-1", "voice": "alloy", "input": "Hi", "speed": 1e999}', 400, None),
    (b'{"model": "tts-1", "voice": "alloy", "input": "\\ud800"}', 400, "invalid_string"),
    (b'{"model": "tts-1", "voice": "alloy", "input": "a", "input": "b"}', 400, "invalid_value"),
    (b'{"model": "tts-1", "voice": "alloy", "input": "\xff"}', 400, "invalid_value"),
    (b'{"speed": ' + b"9" * 5000 + b"}", 400, None),
    (b'{"model": "tts-1", ', 400, "invalid_value"),
    (b"[" * 100_000, 400, "invalid_value"),
    (b"[]", 400, "invalid_type"),
    (b"", 400, "invalid_value"),
    (b" " * 12 * 1024 * 1024, 413, "request_too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), RAW, ids=range(len(RAW)))
def test_a_broken_body_is_an_error_object(
    site: Site, body: bytes, status: int, code: str | None
) -> None:
    answer, said = site.post(body)
    error = json.loads(said)["error"]
    assert answer.status == status
    assert set(error) == {"message", "type", "param", "code"}
    assert code is None or error["code"] == code
    assert answer.getheader("x-should-retry") == "false"


CHUNKED: list[tuple[bytes, int]] = [
    (b"7\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n", 200),
    (b"7\r\n%b\r\n%x\r\n%b\r\n", 400),  # without its end
    (b"7\r\n%b\r\nno%x\r\n%b\r\n0\r\n\r\n", 400),
    (b"7\r\n%b\r\n%x\r\n%b\r\n" + b"100000\r\n%b\r\n" % bytes(2**20) * 12 + b"0\r\n\r\n", 413),
]


@pytest.mark.parametrize(("chunks", "status"), CHUNKED, ids=["whole", "cut", "wrong", "large"])
def test_a_body_in_chunks(site: Site, chunks: bytes, status: int) -> None:
    sent = json.dumps(asked()).encode()
    head = (
        "POST /speech/v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {site.keys['usual']}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=SECONDS) as line:
        line.sendall(head.encode() + chunks % (sent[:7], len(sent) - 7, sent[7:]))
        line.shutdown(socket.SHUT_WR)
        answer = HTTPResponse(line)
        answer.begin()
        body = answer.read()
    assert answer.status == status
    assert status == 200 or set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("headers", [{"Content_Encoding": "gzip"}, {"Content_Type": "text/plain"}])
def test_what_is_no_plain_json_is_not_read(site: Site, headers: dict[str, str]) -> None:
    answer, said = site.post(asked(), **headers)
    assert answer.status == 415
    assert json.loads(said)["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("key", "error", "code"),
    [
        ("sk-nobody", "AuthenticationError", "invalid_api_key"),
        ("tts-01234567-" + "0" * 40, "AuthenticationError", "invalid_api_key"),
        ("x" * 1000, "AuthenticationError", "invalid_api_key"),
        ("revoked", "AuthenticationError", "invalid_api_key"),
        ("expired", "AuthenticationError", "expired_api_key"),
        ("listener", "PermissionDeniedError", "insufficient_permissions"),
    ],
)
def test_no_right_key_no_speech(site: Site, key: str, error: str, code: str) -> None:
    with pytest.raises(getattr(openai, error)) as caught:
        site.client(key).audio.speech.create(**asked())
    assert caught.value.code == code


def test_no_key_at_all(site: Site) -> None:
    answer, said = site.post(asked(), Authorization="")
    assert answer.status == 401
    assert answer.getheader("WWW-Authenticate") == "Bearer"
    assert json.loads(said)["error"]["type"] == "invalid_request_error"


def test_what_the_vendor_says_is_told_in_our_words(site: Site) -> None:
    site.vendor.next.append(WRONG)
    with pytest.raises(openai.BadRequestError) as caught:
        site.client().audio.speech.create(**asked())
    assert caught.value.code == "provider_refused"
    assert "your text" not in str(caught.value)


def test_tenants_do_not_hear_of_one_another(site: Site) -> None:
    text, calls = phrase(), len(site.vendor.heard)
    for key in ("usual", "tenant", "usual", "tenant"):
        site.client(key).audio.speech.create(**asked(text))
    assert len(site.vendor.heard) == calls + 2


def test_a_day_has_so_many_characters_over_all_processes(site: Site) -> None:
    """200 a day: of 20 calls at once for 30 characters each, six are spoken."""
    texts = [phrase() for _ in range(20)]
    assert len(texts[0]) == 30
    speech = site.client("limited").audio.speech
    site.client().audio.speech.create(**asked(stored := phrase()))

    def heard(text: str) -> bool:
        try:
            speech.create(**asked(text))
        except openai.RateLimitError as error:
            refusals.append(error)
            return False
        return True

    refusals: list[openai.RateLimitError] = []
    with ThreadPoolExecutor(20) as pool:
        spoken = list(pool.map(heard, texts))
    assert spoken.count(True) == 6
    assert {error.code for error in refusals} == {"daily_limit_reached"}
    headers = refusals[0].response.headers
    assert headers["x-should-retry"] == "false"
    assert 0 < int(headers["retry-after"]) <= 86_400
    speech.create(**asked(stored))  # what is there is free
    speech.create(**asked(texts[spoken.index(True)]))


def test_an_answer_says_where_it_came_from(site: Site) -> None:
    request, told = asked(), []
    for key in ("usual", "usual", "timed"):
        answer, _ = site.post(request, key)
        told.append(answer.getheader("Cache-Status"))
        timing = answer.getheader("Server-Timing")
        assert (timing is not None) is (key == "timed")
    answer, _ = site.post(request | {"response_format": "wav"}, "timed")
    assert str(answer.getheader("Server-Timing")).startswith("audiocache;desc=transcode;dur=")
    # It may have come to its end before it was told.
    assert told[0] in {"audiocache; fwd=uri-miss", "audiocache; fwd=uri-miss; stored"}
    assert all(str(one).startswith("audiocache; hit; ttl=86") for one in told[1:])


def test_what_a_client_wishes_of_the_cache(site: Site) -> None:
    request, calls = asked(), len(site.vendor.heard)

    def wished(wish: str, **more: str) -> tuple[int, str | None]:
        answer, _ = site.post(request | more, Cache_Control=wish)
        return answer.status, answer.getheader("Cache-Status")

    assert wished("only-if-cached")[0] == 504
    assert len(site.vendor.heard) == calls
    assert wished("no-store")[0] == 200
    assert wished("only-if-cached")[0] == 504
    site.post(request)
    assert wished("only-if-cached")[0] == 200
    assert wished("no-cache")[1] == "audiocache; fwd=request; stored"
    assert wished("no-cache", stream_format="sse")[0] == 200
    assert len(site.vendor.heard) == calls + 4
    answer, said = site.post(request, "spent", Cache_Control="no-cache")
    assert (answer.status, json.loads(said)["error"]["code"]) == (429, "daily_limit_reached")


def test_models_and_voices(site: Site) -> None:
    assert [model.id for model in site.client("listener").models.list()] == ["tts-1"]
    assert site.client("listener").get("/audio/voices", cast_to=dict[str, Any]) == {"voices": []}
    with pytest.raises(openai.APIStatusError) as caught:
        site.client().get("/audio/speech", cast_to=dict[str, Any])
    assert (caught.value.status_code, caught.value.response.headers["allow"]) == (405, "POST")


@pytest.fixture
def lone_site(tmp_path: Path) -> Iterator[Site]:
    """Whose vendor's troubles are nobody else's: a wrong key stops all calls."""
    yield from running(GUNICORN, tmp_path)


def fails(site: Site, trouble: Behaviour, status: int, **more: str) -> str:
    """What is answered while the vendor, at each attempt, behaves so; of a text never stored."""
    usual, site.vendor.behave = site.vendor.behave, trouble
    answer, said = site.post(asked() | more)
    site.vendor.behave = usual
    assert answer.status == status
    return said.decode()


def test_no_log_and_no_error_holds_a_text_or_a_key(lone_site: Site) -> None:
    """A run in which all goes well, and then all goes wrong."""
    site, text = lone_site, phrase()
    for more in ({}, {"response_format": "flac"}, {"stream_format": "sse"}):
        assert site.post(asked(text) | more)[0].status == 200
    assert site.post(asked(text), Cache_Control="no-cache")[0].status == 200
    told = [fails(site, WRONG, 400), fails(site, WRONG, 400, stream_format="sse")]
    page = Reply(200, b"<html>The ferry? %b</html>" % KEY.encode(), {"Content-Type": "text/html"})
    told += [fails(site, page, 502), fails(site, refusal(500, "server_error", None), 502)]
    half = sound(text, "mp3", 1)[:-4000]
    told.append(fails(site, cut_between_chunks(half), 200, stream_format="sse"))
    assert "speech.audio.delta" in told[-1]
    assert "provider_failed" in told[-1]
    told.append(fails(site, refusal(401, "invalid_request_error", "invalid_api_key"), 503))
    with pytest.raises(openai.AuthenticationError) as caught:
        site.client("sk-somebody").audio.speech.create(**asked(text))
    logs = "".join(path.read_text() for path in site.folder.glob("*.log"))
    for line in ("Bad Request: /speech/v1/audio/speech", "kind=wrong_key", "error=WrongKey"):
        assert line in logs
    said = ["The ferry", "sk-somebody", "Something about your text", KEY]
    for secret in (*said, *site.keys.values()):
        assert secret not in logs
        assert secret not in str(caught.value) + "".join(told)
