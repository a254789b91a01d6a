"""What warming will cost, told before: calls, units, money, time; and what is not known."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from audiocache import get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.clock import HOUR_MS, now_ms
from audiocache.management.output import Output
from audiocache.models import CallLatency
from audiocache.pulse import pulse
from tests.tts.databases import ALIASES
from tests.tts.doubles import LocalStub, StubProvider
from tts import renditions
from tts.conf import TTSConfig
from tts.management.progress import progress, span
from tts.quote import ASSUMED_SECONDS, Quote, quote_of
from tts.service import TTSService, set_tts_service
from tts.speech import SpeechRequest
from tts.warming import warm

TEXTS = ("Good morning.", "To gate 7.")
LETTERS = sum(map(len, TEXTS))
PRICES = [{"provider": "stub", "rate": 20}]


@pytest.fixture(params=ALIASES, autouse=True)
def alias(request: pytest.FixtureRequest) -> Iterator[str]:
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": request.param}):
        yield request.param
        set_tts_service(None)
        if (before := replace_audio_cache(None)) is not None:
            before.close()
        pulse.stop()


def service(provider: type[StubProvider] = StubProvider, **tts: Any) -> TTSService:
    config = TTSConfig.of_dict({"PROVIDER": "tone", "PRICES": PRICES, **tts})
    return TTSService(config, cache=get_audio_cache(), provider=provider(config))


def quoted(speaker: TTSService, *texts: str, **how: Any) -> Quote:
    requests = [speaker.complete(SpeechRequest(text, **how)) for text in texts]
    return quote_of(speaker, requests)


def test_it_is_what_the_ledger_says_afterwards() -> None:
    speaker = service()
    quote = quoted(speaker, *TEXTS)
    assert (quote.calls, quote.units, quote.characters) == (2, LETTERS, LETTERS)
    assert quote.cost == 20 * LETTERS
    assert not quote.estimated
    speeches = [speaker.synthesize_sync(SpeechRequest(text)) for text in TEXTS]
    assert sum(speech.cost or 0 for speech in speeches) == quote.cost


def test_one_sound_in_two_formats_is_paid_once() -> None:
    speaker = service()
    both = [SpeechRequest(TEXTS[0], audio_format=name) for name in ("wav", "pcm")]
    quote = quote_of(speaker, map(speaker.complete, both))
    assert quote.calls == 1
    speaker.synthesize_sync(both[0])
    assert quoted(speaker, TEXTS[0], audio_format="pcm").calls == 0


def test_where_each_format_is_paid_for_it_is_quoted_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renditions, "can_decode", lambda: False)
    speaker = service(PAY_FOR_EACH_FORMAT=True)
    both = [SpeechRequest(TEXTS[0], audio_format=name) for name in ("wav", "pcm")]
    quote = quote_of(speaker, map(speaker.complete, both))
    assert sum(speaker.synthesize_sync(one).cost or 0 for one in both) == quote.cost
    assert quote.calls == 2


def test_what_is_not_known_is_told() -> None:
    quote = quoted(service(PRICES=[]), *TEXTS)
    assert (quote.unpriced, quote.cost, quote.units) == (2, 0, LETTERS)
    seconds = [{"provider": "stub", "unit": "seconds", "rate": 250}]
    assert quoted(service(PRICES=seconds), *TEXTS).estimated


def test_a_voice_of_this_machine_costs_nothing() -> None:
    assert quoted(service(LocalStub), *TEXTS).calls == 0


def test_time_is_measured_where_there_were_calls() -> None:
    speaker = service(MAX_CONCURRENT=3)
    quote = quoted(speaker, *TEXTS * 50)
    assert (quote.at_once, quote.measured, quote.seconds) == (2, False, ASSUMED_SECONDS)
    row = {"resolution": "h", "period": now_ms() // HOUR_MS * HOUR_MS, "model": "m"}
    CallLatency.objects.create(provider="stub", bucket=20, calls=3, **row)
    CallLatency.objects.create(provider="stub", bucket=22, calls=1, **row)
    CallLatency.objects.create(provider="other", bucket=28, calls=9, **row)
    quote = quoted(speaker, *TEXTS)
    assert quote.measured
    assert quote.seconds_a_call == pytest.approx(0.75 * (3 * 2**20 + 2**22) / 4 / 1e6)


def test_the_command_prints_it_and_makes_nothing(tmp_path: Path) -> None:
    speaker = service(BUDGET_DAILY_CHARACTERS=20)
    set_tts_service(speaker)
    file = tmp_path / "phrases.txt"
    file.write_text("\n".join(TEXTS))
    out = io.StringIO()
    call_command("audiocache", "warm", str(file), "--dry-run", stdout=out, stderr=io.StringIO())
    told = out.getvalue()
    assert "0.00 USD" in told
    assert "TTS_BUDGET_DAILY_CHARACTERS would stop it on the way." in told
    assert "1 at once (TTS_MAX_CONCURRENT), 1 s each, assumed" in told
    out = io.StringIO()
    call_command("audiocache", "warm", str(file), "--dry-run", "--json", stdout=out)
    data = json.loads(out.getvalue())
    assert (data["missing"], data["cost"]) == (2, 20 * LETTERS)
    assert data["obstacles"] == ["TTS_BUDGET_DAILY_CHARACTERS would stop it on the way"]
    assert isinstance(speaker.provider, StubProvider)
    assert speaker.provider.calls == []


def test_what_does_not_fit_is_quoted_all_the_same(tmp_path: Path, alias: str) -> None:
    limits = {"PERSISTENT_DATABASE": alias, "PERSISTENT_MAX_SIZE": 1}
    with override_settings(AUDIOCACHE=limits):
        set_tts_service(service())
        (file := tmp_path / "phrases.txt").write_text("\n".join(TEXTS))
        out = io.StringIO()
        call_command("audiocache", "warm", str(file), "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue())["obstacles"] == [
        "CACHE_PERSISTENT_MAX_SIZE is 1 rows; 0 used, 2 new"
    ]


def test_a_budget_stops_the_run_where_it_ends() -> None:
    speaker = service(BUDGET_DAILY_CHARACTERS=20, MAX_CONCURRENT=3)
    result = warm(map(SpeechRequest, TEXTS * 2), service=speaker)
    assert result.stopped_by == "BudgetSpent"
    assert isinstance(speaker.provider, StubProvider)
    assert sum(len(call.text) for call in speaker.provider.calls) <= 20


def test_as_many_at_once_as_the_limit_leaves() -> None:
    """And each is counted once, whatever became of it."""
    speaker = service(MAX_CONCURRENT=4)
    texts = [f"Sentence number {number}." for number in range(9)]
    looked_at = []
    result = warm(
        map(SpeechRequest, [*texts, texts[0], "\0"]),
        lambda warming: looked_at.append(warming.done),
        service=speaker,
    )
    assert (result.stored + result.skipped, result.failed) == (10, 1)
    assert looked_at == list(range(1, 12))
    assert isinstance(speaker.provider, StubProvider)
    assert len(speaker.provider.calls) == 9


def test_the_time_that_is_left_is_shown() -> None:
    err = io.StringIO()
    with progress(Output(err), 10) as advance:  # type: ignore[arg-type]
        advance(1)
        advance(10)
    assert err.getvalue().splitlines()[-1] == "10 of 10 phrases"
    assert [span(seconds) for seconds in (0.2, 59, 61, 7_300)] == [
        "1 s",
        "59 s",
        "2 min",
        "2 h 2 min",
    ]
