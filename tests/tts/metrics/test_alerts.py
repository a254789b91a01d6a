"""The alert rules name metrics and labels that exist, and each has its paragraph.

Whether an expression is good PromQL, promtool says; here it is read by its names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tts.metrics.test_names import documented

DOCS = Path(__file__).parents[3] / "docs"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DOCS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
NAMED = re.compile(r"\b(?:audiocache|tts)_\w+")
LABELS = re.compile(r"by \(([^)]*)\)|(\w+)(?:=|!=|=~|!~)\"")
PARTS = re.compile(r"_(bucket|count|sum)$")


def names_in(expression: str) -> set[str]:
    """Of families: a histogram's parts are its own."""
    known = documented()
    return {
        base if known.get(base := PARTS.sub("", name), ("",))[0] == "histogram" else name
        for name in NAMED.findall(expression)
    }


def test_there_are_six() -> None:
    assert len(RULES) == len({rule["alert"] for rule in RULES}) == 6


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_names_what_there_is(rule: dict[str, Any]) -> None:
    known, names = documented(), names_in(rule["expr"])
    assert names
    assert names <= known.keys()
    labels = {
        label.strip()
        for several, one in LABELS.findall(rule["expr"])
        for label in (several or one).split(",")
    }
    assert labels - {"instance", "le"} <= set().union(*(known[name][1] for name in names))
    assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    summary, runbook = rule["annotations"]["summary"], rule["annotations"]["runbook"]
    given = set(re.findall(r"\$labels\.(\w+)", summary))
    assert given <= set(re.findall(r"\w+", rule["expr"]))
    page, _, anchor = runbook.partition("#")
    sections = dict(re.findall(r"^## (\w+)\n\n(.+)", (DOCS / page).read_text(), re.MULTILINE))
    assert rule["alert"] in sections
    assert anchor == rule["alert"].lower()
