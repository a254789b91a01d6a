"""Who can warm the cache is asked by dotted path, when it is to be warmed."""

from __future__ import annotations

import pytest

from audiocache import warmers


def three() -> int:
    return 3


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmers, "_warmers", {})


def test_every_warmer_is_run_and_tells_its_number() -> None:
    warmers.register("mine", f"{__name__}.three")
    warmers.register("other", f"{__name__}.three")
    assert warmers.run() == {"mine": 3, "other": 3}


def test_nothing_is_imported_before_it_runs() -> None:
    warmers.register("gone", "no.such.module")
    with pytest.raises(ModuleNotFoundError):
        warmers.run()


def test_without_warmers_nothing_happens() -> None:
    assert warmers.run() == {}
