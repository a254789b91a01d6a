"""The names of metrics are frozen: docs/metrics.md, the code and a live scrape say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client, override_settings
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

import audiocache.metrics.families
import tts.metrics.families
from audiocache import get_audio_cache
from audiocache.signals import call_settled
from audiocache.testing import override_speech
from tests.tts.metrics.test_counting import paid
from tts import get_tts_service

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `([a-z_]+)(?:\{([a-z,]+)\})?` \| (counter|gauge|histogram) \|", re.MULTILINE)
SUFFIX = {"counter": "_total"}

Names = dict[str, tuple[str, frozenset[str]]]
"""Type and labels by name."""


def documented() -> Names:
    return {
        name: (kind, frozenset(labels.split(",")) if labels else frozenset())
        for name, labels, kind in ROW.findall(PAGE.read_text(encoding="utf-8"))
    }


def in_code() -> Names:
    known = [*vars(audiocache.metrics.families).values(), *vars(tts.metrics.families).values()]
    return {
        family._name + SUFFIX.get(str(family._type), ""): (
            str(family._type),
            frozenset(family._labelnames),
        )
        for family in known
        if isinstance(family, MetricWrapperBase)
    }


def scraped(text: str) -> Names:
    return {
        family.name + SUFFIX.get(family.type, ""): (
            family.type,
            frozenset(name for sample in family.samples for name in sample.labels) - {"le"},
        )
        for family in text_string_to_metric_families(text)
        if family.name.startswith(("audiocache_", "tts_")) and not family.name.endswith("_created")
    }


def test_the_page_lists_what_the_code_has() -> None:
    assert documented() == in_code()
    assert len(documented()) >= 11


@pytest.mark.django_db
@override_settings(DEBUG=True)
def test_a_scrape_has_what_the_page_lists(client: Client) -> None:
    with override_speech():
        get_tts_service().synthesize_text_sync("a phrase that no metric holds")
        get_audio_cache().get("xylophone")
        call_settled.send(None, call=paid(1_000))
        text = client.get("/metrics").content.decode()
    assert scraped(text) == documented()
    assert "phrase" not in text
    assert "xylophone" not in text
