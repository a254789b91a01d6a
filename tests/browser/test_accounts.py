"""Must show 4 of issue 7: the page of accounts, with 100,000 entries and a year of hourly rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.browser.conftest import enter, eventually, serving

pytestmark = pytest.mark.browser

PAGE = "/admin/audiocache/account/"
SPANS = ("day", "week", "month", "year")
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'"
)
"""As strict as the admin's own pages allow."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: Any) -> Iterator[str]:
    """Where much was stored and paid."""
    folder = tmp_path_factory.mktemp("years")
    with serving(folder, ["tests.sites.year"], CACHE_PERSISTENT_MAX_SIZE="105000") as address:
        yield address


@pytest.fixture
def accounts(page: Any) -> Any:
    """The page, open; under a strict policy, whose breach is an error on the console."""

    def strict(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(
            response=answer, headers={**answer.headers, "content-security-policy": POLICY}
        )

    page.route(f"**{PAGE}*", strict)
    enter(page, PAGE)
    return page


def opens_at_once(page: Any, span: str) -> bool:
    """In less than a second the page is whole: all that it needs is there, and laid out."""
    began = time.perf_counter()
    page.goto(f"{PAGE}?span={span}", wait_until="load")
    return time.perf_counter() - began < 1


def test_it_opens_in_less_than_a_second(accounts: Any, picture: Callable[[str], None]) -> None:
    for span in SPANS:
        eventually(partial(opens_at_once, accounts, span))  # others may share the machine
        picture(f"accounts-{span}")


def test_it_is_legible_at_night(accounts: Any, picture: Callable[[str], None]) -> None:
    accounts.emulate_media(color_scheme="dark")
    accounts.goto(f"{PAGE}?span=month")
    picture("accounts-dark")


def test_the_numbers_can_be_read(accounts: Any, picture: Callable[[str], None]) -> None:
    accounts.get_by_text("The numbers").click()
    assert accounts.locator("details tbody tr").count() == 24
    picture("accounts-numbers")
