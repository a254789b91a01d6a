"""The memory of clips already named: right under all equalities of Python, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st

from audiocache import memo as memo_module
from audiocache.keys import clip_of
from audiocache.memo import MAX_CLIPS, MAX_TEXT, ClipMemo


@pytest.fixture
def memo() -> ClipMemo:
    return ClipMemo()


def test_a_clip_is_named_once(memo: ClipMemo, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = memo.clip("Hello", "", {"voice": "nova"})
    assert memo.clip("Hello", "", {"voice": "nova"}) is clip
    bare = memo.clip("Hello", "", {})

    def fail(*_: object) -> None:
        raise AssertionError("named anew")

    monkeypatch.setattr(memo_module, "clip_of", fail)
    assert memo.clip("Hello", "", {"voice": "nova"}) is clip
    assert memo.clip("Hello", "", {}) is bare


EQUAL_TO_PYTHON: list[Any] = [1, 1.0, True, "1", 0, 0.0, False, -0.0, "", None]


@pytest.mark.parametrize("first", EQUAL_TO_PYTHON, ids=repr)
@pytest.mark.parametrize("second", EQUAL_TO_PYTHON, ids=repr)
def test_values_that_python_holds_equal_are_not_confused(
    memo: ClipMemo, first: object, second: object
) -> None:
    memo.clip("Hello", "", {"x": first})
    assert memo.clip("Hello", "", {"x": second}) == clip_of("Hello", {"x": second})


CASES = st.tuples(
    st.sampled_from(["a", "b", " a"]),
    st.sampled_from(["", "n", "a"]),
    st.dictionaries(
        st.sampled_from(["x", "y"]),
        st.sampled_from([True, 1, 1.0, "a", None, [1], [True], {"x": 1}, {"x": True}]),
    ),
)


@given(st.lists(CASES))
def test_the_memory_never_answers_another_clip(
    asked: list[tuple[str, str, dict[str, Any]]],
) -> None:
    memo = ClipMemo()
    for text, namespace, variant in asked:
        assert memo.clip(text, namespace, variant) == clip_of(text, variant, namespace)


def test_a_variant_and_a_namespace_are_not_confused(memo: ClipMemo) -> None:
    memo.clip("a", "x", {})
    with pytest.raises(TypeError):
        memo.clip("a", ("x", 1), {})  # type: ignore[arg-type]


def test_what_is_refused_is_refused_again(memo: ClipMemo) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="text must not be empty"):
            memo.clip(" ", "", {})
        with pytest.raises(TypeError, match="text must be str"):
            memo.clip(["a"], "", {})  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="x must be"):
            memo.clip("a", "", {"x": b"bytes"})


def test_a_translation_that_waits_for_its_language_is_its_text(memo: ClipMemo) -> None:
    assert memo.clip(lazystr("Hello"), "", {}) == clip_of("Hello")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [lazystr("nova"), lazystr("1")], ids=str)
def test_what_equals_a_remembered_text_and_is_none_is_refused(memo: ClipMemo, value: str) -> None:
    memo.clip("Hello", "", {"voice": str(value)})
    with pytest.raises(TypeError, match="voice must be"):
        memo.clip("Hello", "", {"voice": value})


def test_two_variants_of_a_text_that_take_turns_are_named_once(memo: ClipMemo) -> None:
    clips = [memo.clip("Hello", "n", {"voice": voice}) for voice in ("a", "b")]
    for _ in range(3):
        assert memo.clip("Hello", "n", {"voice": "a"}) is clips[0]
        assert memo.clip("Hello", "n", {"voice": "b"}) is clips[1]
    assert memo.clip("Hello", "", {"voice": "b"}) == clip_of("Hello", {"voice": "b"})


def test_a_variant_that_its_owner_changes_later_is_not_remembered_changed(memo: ClipMemo) -> None:
    variant: dict[str, object] = {"voice": "a"}
    memo.clip("Hello", "", variant)
    variant["voice"] = "b"
    assert memo.clip("Hello", "", {"voice": "b"}) == clip_of("Hello", {"voice": "b"})


def test_it_is_bounded_in_number_and_holds_no_long_text(memo: ClipMemo) -> None:
    for number in range(MAX_CLIPS + 10):
        memo.clip(f"text {number}", "", {})
        assert len(memo._latest) <= len(memo._clips) <= MAX_CLIPS
    before = len(memo._clips)
    memo.clip("x" * MAX_TEXT, "", {})
    memo.clip("y" * (MAX_TEXT + 1), "", {})
    assert len(memo._clips) == before + 1


def test_it_is_bounded_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo_module, "MAX_CHARACTERS", 1000)
    names = ClipMemo()
    for number in range(100):
        names.clip(f"{number}{' ' * 300}x", "", {"voice": "v" * 100})
    assert len(names._clips) <= 3


def test_a_long_text_or_variant_is_not_remembered() -> None:
    names = ClipMemo()
    names.clip("x" + " " * 5000 + "y", "", {})
    names.clip("x", "", {"instructions": "i" * 5000})
    assert len(names._clips) == len(names._latest) == 0
