"""A model that goes is told months ahead, and stops a deployment only when it is gone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.checks import ERROR, WARNING, run_checks

from tts.conf import TTSConfig
from tts.retired import dates, read


def in_days(number: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=number)).isoformat()


def told(settings: Any, retired: object, *, deploy: bool = False) -> list[Any]:
    settings.TTS = {"PROVIDER": "tone", "RETIRED_MODELS": retired}
    found = run_checks(tags=["tts"], include_deployment_checks=deploy)
    return [message for message in found if message.id in {"tts.W010", "tts.E010", "tts.E001"}]


def test_half_a_year_ahead_a_check_warns(settings: Any) -> None:
    [message] = told(settings, {"acme/old": in_days(170), "acme/new": in_days(190)})
    assert message.level == WARNING
    assert message.msg.startswith("acme/old is gone in 170 days")
    assert "audiocache pin --provider acme --model old" in message.hint


def test_when_it_is_gone_a_deployment_stops_and_a_start_does_not(settings: Any) -> None:
    retired = {"acme/old/v2": in_days(-1)}
    [message] = told(settings, retired)
    assert (message.id, message.level) == ("tts.W010", WARNING)
    assert "is gone since" in message.msg
    levels = {one.id: one.level for one in told(settings, retired, deploy=True)}
    assert levels == {"tts.W010": WARNING, "tts.E010": ERROR}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"acme": "2027-03-01"}, "'acme' must be 'provider/model'"),
        ({"acme/old": "soon"}, "acme/old: must be a date such as 2027-03-01, not 'soon'"),
        ("not json", "must be a JSON object"),
        (["acme/old"], "must be a dict"),
    ],
)
def test_a_wrong_one_is_named(settings: Any, given: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(given)
    [error] = told(settings, given)
    assert error.id == "tts.E001"
    assert error.msg.startswith("TTS_RETIRED_MODELS: ")
    assert dates() == {}


def test_the_environment_gives_json_and_code_gives_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_RETIRED_MODELS", '{"acme/old": "2027-03-01"}')
    assert TTSConfig.load().retired_models == {"acme/old": date(2027, 3, 1)}
    assert read({"acme/old": date(2027, 3, 1)}) == {"acme/old": date(2027, 3, 1)}
