"""The example of docs/adding-a-provider.md runs as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from audiocache import MultiTierAudioCache
from tests.tts.vendors.server import Reply, Server, as_json
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import QuotaSpent
from tts.service import TTSService
from tts.speech import SpeechRequest

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-provider.md"
BLOCKS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture
def beep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module = ModuleType("mysite.speech")
    exec(BLOCKS["mysite/speech.py"], vars(module))
    monkeypatch.setitem(sys.modules, "mysite", ModuleType("mysite"))
    monkeypatch.setitem(sys.modules, "mysite.speech", module)
    return module


def test_the_example_speaks_with_the_settings_shown(
    beep: Any, settings: Any, cache: MultiTierAudioCache
) -> None:
    shown: dict[str, Any] = {}
    exec(BLOCKS["settings.py"], shown)
    settings.TTS = shown["TTS"]
    service = TTSService(cache=cache)
    speech = service.synthesize_sync(SpeechRequest("one two three"))
    assert speech.tier == "provider"
    assert speech.duration == pytest.approx(1.2, abs=0.01)
    assert service.complete(SpeechRequest("x")).voice == "high"
    assert service.synthesize_sync(SpeechRequest("one two three")).tier == "memory"


def test_the_example_keeps_the_contract(beep: Any) -> None:
    namespace: dict[str, Any] = {"BeepProvider": beep.BeepProvider}
    exec(BLOCKS["tests/test_beep.py"], namespace)
    contract = namespace["TestBeepProvider"]()
    tests = [name for name in dir(contract) if name.startswith("test_")]
    for test in (getattr(contract, name) for name in tests):
        if list(signature(test).parameters) == ["provider"]:
            test(beep.BeepProvider(TTSConfig()))
    assert len(tests) > 12


def test_the_vendor_of_the_page_speaks_and_says_what_went_wrong() -> None:
    module = ModuleType("mysite.vendor")
    exec(BLOCKS["mysite/vendor.py"], vars(module))
    with Server(Reply(body=b"sound", headers={"x-characters": "12"})) as server:
        provider = module.VendorProvider(TTSConfig(api_key="k", base_url=server.url))
        request = provider.complete(SpeechRequest("Hello"))
        recording = provider.synthesize(request.spoken(), Deadline.after(5))
        assert (recording.audio, recording.billed_units) == (b"sound", 12)
        assert server.heard[0].json() == {"text": "Hello", "voice": "anna", "as": "mp3"}
        server.behave = as_json(400, {"code": "credit_used_up"})
        with pytest.raises(QuotaSpent):
            provider.synthesize(request.spoken(), Deadline.after(5))
        provider.close()
