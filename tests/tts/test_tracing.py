"""One span a request, one below it for each paid call; never a text or a key, and nothing at all
where OpenTelemetry is not installed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.tts.doubles import StubProvider
from tts import retry
from tts.api.answers import answer
from tts.api.asking import Asked
from tts.exceptions import ProviderDown, ProviderError
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.wishes import Wishes, aspeech_by, speech_by

TEXT = "The ferry leaves from the second pier."
ROOT = Path(__file__).resolve().parents[2]

_exporter = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def recorded() -> None:
    """For good: OpenTelemetry takes one provider a process."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(_exporter))
    trace.set_tracer_provider(provider)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    _exporter.clear()
    with retry.without_waits():
        yield _exporter
    _exporter.clear()


def ended(spans: InMemorySpanExporter) -> tuple[list[ReadableSpan], list[ReadableSpan]]:
    """Requests, and calls: each of these is below a request, in its trace."""
    every = spans.get_finished_spans()
    requests = [span for span in every if span.name == "speech"]
    calls = [span for span in every if span.name != "speech"]
    known = {span.context.span_id: span.context.trace_id for span in requests if span.context}
    for call in calls:
        assert call.parent is not None
        assert known[call.parent.span_id] == call.parent.trace_id
    return requests, calls


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_miss_has_a_child_for_the_paid_call_and_a_hit_has_none(
    service: TTSService, spans: InMemorySpanExporter
) -> None:
    service.synthesize_sync(SpeechRequest(TEXT))
    service.synthesize_sync(SpeechRequest(TEXT))
    [miss, hit], [call] = ended(spans)
    assert (call.name, call.kind) == ("generate_content", SpanKind.CLIENT)
    assert attributes(call) == {
        "gen_ai.operation.name": "generate_content", "gen_ai.output.type": "speech",
        "gen_ai.provider.name": "stub", "gen_ai.request.model": "", "tts.attempt": 1,
    }  # fmt: skip
    told = attributes(hit)
    assert told.pop("cache.item.size") > 100  # type: ignore[operator]
    assert told == {
        "gen_ai.operation.name": "generate_content", "gen_ai.output.type": "speech",
        "gen_ai.provider.name": "stub", "gen_ai.request.model": "",
        "cache.hit": True, "cache.tier": "memory", "cache.stale": False,
        "cache.joined": False, "cache.stored": True,
    }  # fmt: skip
    assert (attributes(miss)["cache.hit"], attributes(miss)["cache.tier"]) == (False, "provider")


async def speak(service: TTSService) -> None:
    await service.synthesize(SpeechRequest(TEXT))
    async for _ in service.stream(SpeechRequest(f"{TEXT} Again.")):
        pass


@pytest.mark.parametrize("way", ["async", "stream"])
def test_the_other_ways_are_traced_as_well(
    service: TTSService, spans: InMemorySpanExporter, way: str
) -> None:
    if way == "async":
        asyncio.run(speak(service))
    else:
        service.synthesize_sync(SpeechRequest(TEXT))
        assert b"".join(service.stream_sync(SpeechRequest(f"{TEXT} Again.")).ready())
    requests, calls = ended(spans)
    assert [attributes(span)["cache.hit"] for span in requests] == [False, False]
    assert len(calls) == 2


def test_a_listener_who_leaves_ends_his_span(
    service: TTSService, spans: InMemorySpanExporter
) -> None:
    service.synthesize_sync(SpeechRequest(TEXT))
    stream = service.stream_sync(SpeechRequest(TEXT)).ready()
    stream.close()
    stream.close()
    [_, left], _ = ended(spans)
    assert attributes(left)["cache.tier"] == "memory"
    service.stream_sync(SpeechRequest(TEXT)).close()
    assert len(ended(spans)[0]) == 2


@pytest.mark.parametrize("as_events", [False, True])
def test_an_answer_over_http_ends_its_span(
    service: TTSService, spans: InMemorySpanExporter, as_events: bool
) -> None:
    request = SpeechRequest(TEXT)
    service.synthesize_sync(request)
    response = answer(service.stream_sync(request).ready(), Asked(request, as_events), {})
    assert b"".join(response)
    requests, _ = ended(spans)
    assert [attributes(span)["cache.hit"] for span in requests] == [False, True]


def test_wishes_are_traced_once(service: TTSService, spans: InMemorySpanExporter) -> None:
    for wishes in (Wishes(), Wishes(no_cache=True), Wishes(no_store=True)):
        speech_by(service, SpeechRequest(TEXT), wishes)
    asyncio.run(aspeech_by(service, SpeechRequest(TEXT), Wishes(no_cache=True)))
    requests, calls = ended(spans)
    assert [attributes(span)["cache.hit"] for span in requests] == [False, False, True, False]
    assert len(calls) == 3


def test_an_error_is_told_by_its_kind_and_each_attempt_has_a_span(
    service: TTSService, provider: StubProvider, spans: InMemorySpanExporter
) -> None:
    words = f"upstream said {TEXT}"
    provider.error = ProviderDown(words, status=503)
    with pytest.raises(ProviderError):
        service.synthesize_sync(SpeechRequest(TEXT))
    [request], calls = ended(spans)
    assert [attributes(call)["tts.attempt"] for call in calls] == [1, 2, 3]
    for span in (request, *calls):
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == "provider_down"
        assert attributes(span)["http.response.status_code"] == 503
    everything = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "ferry" not in everything
    assert "upstream" not in everything


def test_no_text_and_no_key_is_in_a_span(service: TTSService, spans: InMemorySpanExporter) -> None:
    speech = service.synthesize_sync(SpeechRequest(TEXT))
    everything = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "ferry" not in everything
    assert speech.key not in everything
    assert speech.entry.source_key not in everything


def test_those_who_share_a_call_say_so(
    service: TTSService, provider: StubProvider, spans: InMemorySpanExporter
) -> None:
    provider.seconds = 0.3
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: service.synthesize_sync(SpeechRequest(TEXT)), range(4)))
    requests, calls = ended(spans)
    assert (len(requests), len(calls)) == (4, 1)
    assert sum(attributes(span)["cache.hit"] is False for span in requests) >= 1


BARE = """
import sys
sys.modules["opentelemetry"] = None
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["audiocache", "tts"], TTS={"PROVIDER": "tone"},
                   AUDIOCACHE={"BACKEND": "memory"})
django.setup()
from tts import get_tts_service, tracing
from tts.service import TTSService
from tts.streaming import SpeechStream
assert get_tts_service().synthesize_text_sync("hello")
assert not tracing.INSTALLED
assert not [name for name in sys.modules if name.startswith("opentelemetry.")]
assert "tts.spans" not in sys.modules
verbs = [TTSService.synthesize, TTSService.synthesize_sync, SpeechStream.__next__]
assert not [verb for verb in verbs if hasattr(verb, "__wrapped__")]
"""


def test_without_opentelemetry_nothing_is_in_the_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
