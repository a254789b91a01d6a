"""Must show 4 of speech over HTTP: a person opens a page, and hears it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import enter, eventually

pytestmark = pytest.mark.browser

LONG = "The ferry to the island leaves from pier seven, at a quarter past nine in the morning."


WORD = "Llanfair" * 25
"""Of 200 letters."""


class Player:
    """An audio element."""

    def __init__(self, page: Any, number: int = 0) -> None:
        self._page = page
        self._element = page.locator("audio").nth(number)

    def get(self, what: str) -> Any:
        return self._element.evaluate(f"audio => audio.{what}")

    def play(self) -> None:
        self._element.evaluate("audio => audio.play()")

    def seek(self, seconds: float) -> None:
        self._element.evaluate("(audio, seconds) => { audio.currentTime = seconds }", seconds)

    def assert_plays_on(self) -> None:
        """Its time goes on, and without an error."""
        before = self.get("currentTime")
        eventually(lambda: self.get("currentTime") > before or self.get("ended"))
        assert self.get("error") is None

    def assert_plays_to_the_end_from_the_middle(self) -> None:
        middle = self.get("duration") / 2
        self.seek(middle)
        eventually(lambda: not self.get("seeking"))
        assert self.get("currentTime") >= middle - 0.05
        self.assert_plays_on()
        assert self.get("currentTime") > middle
        eventually(lambda: self.get("ended"))


def speak(page: Any) -> str:
    """Press the button; who answered."""
    with page.expect_response("**/studio/speak"):
        page.get_by_role("button", name="Speak").click()
    eventually(lambda: page.locator("#player").evaluate("audio => audio.readyState") >= 3)
    return str(page.locator("#tier").inner_text())


def lengthen(page: Any, selector: str) -> None:
    """Write a word of 200 letters wherever the selector says, and show it."""
    script = "(all, word) => all.forEach(one => { one.textContent = word; one.hidden = false })"
    page.locator(selector).evaluate_all(script, WORD)


def test_the_studio_speaks_plays_and_seeks(page: Any, picture: Callable[[str], None]) -> None:
    text = f"{LONG} {page.viewport_size['width']}."
    page.goto("/")
    picture("studio-empty")
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_label("Voice").select_option(index=3)
    assert speak(page) == "provider"
    player = Player(page)
    player.assert_plays_on()
    player.assert_plays_to_the_end_from_the_middle()
    assert speak(page) == "memory"
    assert "detail=memory" in page.locator("#cache-status").inner_text()
    page.get_by_text("The same by curl").click()
    assert text in page.locator("#curl").inner_text()
    picture("studio")


def test_the_studio_by_keyboard_alone(page: Any) -> None:
    page.goto("/")
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.type("Good morning.")
    page.keyboard.press("Control+Enter")
    eventually(lambda: page.locator("#result").is_visible())
    eventually(lambda: page.locator("#player").evaluate("audio => audio.readyState") >= 3)
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name || document.activeElement.type"))
    assert names == ["voice", "audio_format", "speed", "submit"]
    page.keyboard.press("Enter")
    eventually(lambda: page.locator("#log li").count() == 1)


def test_what_is_wrong_is_told(page: Any, picture: Callable[[str], None]) -> None:
    page.goto("/")
    page.get_by_label("Text", exact=True).fill("   ")
    page.get_by_role("button", name="Speak").click()
    eventually(lambda: page.get_by_role("alert").is_visible())
    assert "Text: type or pick" in page.get_by_role("alert").inner_text()
    picture("studio-wrong")


def test_what_cannot_be_spoken_is_told(page: Any, picture: Callable[[str], None]) -> None:
    page.goto("/")
    page.get_by_label("Text", exact=True).fill("...")
    page.get_by_role("button", name="Speak").click()
    eventually(lambda: page.get_by_role("alert").is_visible())
    assert "is there anything to say in the text?" in page.get_by_role("alert").inner_text()
    picture("studio-nothing-to-say")


def test_a_long_word_makes_no_page_wider(page: Any, picture: Callable[[str], None]) -> None:
    page.goto("/")
    for _ in range(2):  # the first is in the list of those before
        page.get_by_label("Text", exact=True).fill(WORD)
        speak(page)
    page.get_by_text("The same by curl").click()
    assert page.locator("#log").get_by_text(WORD).is_visible()
    picture("studio-long-word")
    lengthen(page, ".hint, #error, #money")
    picture("studio-long-words")
    page.goto("/reading")
    lengthen(page, "figcaption")
    picture("reading-long-word")


def test_a_long_word_makes_no_table_of_accounts_wider(page: Any, picture: Any) -> None:
    enter(page, "/admin/audiocache/account/")
    lengthen(page, "#accounts :is(p, li, dt, dd)")
    picture("accounts-long-words")
    if page.viewport_size["width"] < 640:  # rows are cards
        lengthen(page, "#accounts .stack :is(td, tbody th)")
        tables = page.locator("#accounts .wide:has(.stack)")
        assert tables.evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")


def test_the_tag_s_players(page: Any, picture: Callable[[str], None]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/reading")
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "/audio/" in url]
    player = Player(page, 1)
    player.play()
    player.assert_plays_on()
    player.assert_plays_to_the_end_from_the_middle()
    assert "Listen: About tickets" in page.locator("main").inner_html()
    picture("reading")


def test_the_admin_s_player(page: Any, picture: Callable[[str], None]) -> None:
    page.goto("/")
    page.get_by_label("Text", exact=True).fill(LONG)
    speak(page)
    enter(page, "/admin/audiocache/audiocacheentry/")
    page.locator("#result_list tbody a").first.click()
    player = Player(page)
    player.play()
    player.assert_plays_on()
    player.assert_plays_to_the_end_from_the_middle()
    picture("admin")


def test_the_accounts_when_nothing_was_paid(page: Any, picture: Callable[[str], None]) -> None:
    enter(page, "/admin/audiocache/account/")
    assert "Nothing was paid in this span" in page.locator("#accounts").inner_text()
    picture("accounts-empty")
