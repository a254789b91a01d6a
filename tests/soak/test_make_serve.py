"""The official SDK against `make serve` itself, which pays a vendor of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen
from uuid import uuid4

import pytest

from project.servers import free_port
from tests.tts.api import sdk as openai
from tests.tts.vendors import openai as vendor_openai
from tests.tts.vendors.server import Server
from tests.tts.vendors.sounds import sound

ROOT = Path(__file__).parents[2]
SECONDS = 60
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")

pytestmark = pytest.mark.soak


class Serving(NamedTuple):
    client: openai.OpenAI
    given: dict[str, Any]
    """For another client."""
    vendor: Server


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    with Server(vendor_openai.answer) as vendor, contextlib.ExitStack() as stack:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "DATABASE_URL": f"sqlite:////{folder / 'site.sqlite3'}",
            "CELERY_BROKER_URL": "memory://",
            "TTS_PROVIDER": "openai", "TTS_API_KEY": vendor_openai.KEY, "TTS_MODEL": "tts-1",
            "TTS_BASE_URL": f"{vendor.url}/v1",
        }  # fmt: skip
        stack.enter_context(made(folder, f"127.0.0.1:{port}", environment))
        eventually(port)
        create = [sys.executable, "manage.py", "tts_key", "create", "soak"]
        said = subprocess.run(
            create, cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
            timeout=SECONDS,
        )  # fmt: skip
        key = next(word for word in said.stdout.split() if word.startswith("tts-"))
        site: dict[str, Any] = {"base_url": f"http://127.0.0.1:{port}/v1", "timeout": SECONDS}
        given = {**site, "api_key": key}
        yield Serving(stack.enter_context(openai.OpenAI(**given)), given, vendor)


@contextlib.contextmanager
def made(folder: Path, address: str, environment: dict[str, str]) -> Iterator[None]:
    """`make serve`, with this interpreter's environment as it is."""
    words = ["make", "serve", f"ADDRESS={address}", f"VENV={sys.prefix}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*words, "-o", f"{sys.prefix}/.installed-demo"], cwd=ROOT, env=environment,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def eventually(port: int) -> None:
    until = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/livez", timeout=5):
            return
        assert time.monotonic() < until
        time.sleep(0.1)


def asked(**more: Any) -> dict[str, Any]:
    text = f"The ferry {uuid4().hex[:12]} leaves."
    return {"model": "tts-1", "voice": "alloy", "input": text, **more}


@pytest.mark.parametrize("audio_format", FORMATS)
def test_each_format(serving: Serving, audio_format: str) -> None:
    request = asked(response_format=audio_format)
    whole = sound(request["input"], audio_format, 1)
    assert serving.client.audio.speech.create(**request).content == whole

    async def again() -> bytes:
        async with openai.AsyncOpenAI(**serving.given) as client:
            streaming = client.audio.speech.with_streaming_response
            async with streaming.create(**request) as said:
                return b"".join([piece async for piece in said.iter_bytes()])

    assert asyncio.run(again()) == whole


def test_32_calls_for_a_new_phrase_pay_once(serving: Serving) -> None:
    request, calls = asked(), len(serving.vendor.heard)
    create = serving.client.audio.speech.create
    with ThreadPoolExecutor(32) as pool:
        heard = set(pool.map(lambda _: create(**request).content, range(32)))
    assert heard == {sound(request["input"], "mp3", 1)}
    assert len(serving.vendor.heard) == calls + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""}, {"input": "x" * 4097}, {"input": "a\x00b"}, {"input": 5},
        {"voice": "no\nbody"}, {"response_format": "ogg"}, {"speed": 0.2}, {"speed": 4.1},
        {"speed": "fast"}, {"model": None},
    ],
)  # fmt: skip
def test_a_wrong_request_is_a_typed_error(serving: Serving, wrong: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        serving.client.audio.speech.create(**asked() | wrong)


def test_a_wrong_key_is_a_typed_error(serving: Serving) -> None:
    with pytest.raises(openai.AuthenticationError):
        serving.client.with_options(api_key="sk-nobody").audio.speech.create(**asked())


def test_a_long_body_is_a_typed_error(serving: Serving) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        serving.client.audio.speech.create(**asked(extra_body={"more": "x" * 12 * 2**20}))
    assert caught.value.status_code == 413
