"""A site under gunicorn, and a Chromium; neither knows of the test process."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from project.servers import free_port

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "var" / "browser"
SECONDS = 30
PASSWORD = "only for tests"
WIDTHS = (1280, 390)
REFUSALS = re.compile(r"status of (400|503)")


@pytest.fixture(scope="session")
def site(tmp_path_factory: Any) -> Iterator[str]:
    """Its address. A database, a person named boss, and espeak's voice."""
    with serving(tmp_path_factory.mktemp("site")) as address:
        yield address


@contextmanager
def serving(folder: Path, *before: list[str], **settings: str) -> Iterator[str]:
    """A site of its own in a folder; `before` are modules to be run on its settings first."""
    port = free_port()
    given = {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DJANGO_SECRET_KEY": "only for tests",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DATABASE_URL": f"sqlite:////{folder / 'site.sqlite3'}",
        "CACHE_BACKEND": "sqlite",
        "TTS_PROVIDER": "espeak",
        "PYTHONPATH": str(ROOT),
    }
    environment = {**os.environ, **given, **settings}
    admin = [sys.executable, str(ROOT / "manage.py")]
    boss = ["createsuperuser", "--noinput", "--username", "boss", "--email", "boss@site.example"]
    modules = [[sys.executable, "-m", *words] for words in before]
    for command in ([*admin, "migrate", "--verbosity", "0"], [*admin, *boss], *modules):
        subprocess.run(command, env=environment, check=True, timeout=120)
    gunicorn = ["--no-control-socket", "--threads", "8", "--bind", f"127.0.0.1:{port}"]
    program = [str(Path(sys.executable).parent / "gunicorn"), *gunicorn, "project.wsgi"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(program, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(SECONDS)


def enter(page: Any, address: str) -> None:
    """Open a page of the admin as boss."""
    page.goto(f"/admin/login/?next={address}")
    page.get_by_label("Username:").fill("boss")
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def listens(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def eventually(true: Callable[[], object]) -> None:
    """Asked again until it is so. Not by the browser, whose own way of it the policy forbids."""
    until = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, browser: Any, site: str) -> Iterator[Any]:
    """An empty page of this width. What it complains of, or asks of others, fails the test."""
    width = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, base_url=site, has_touch=width < 600
    )
    page, wrong = context.new_page(), list[str]()

    def notice(told: str, *, is_wrong: bool) -> None:
        wrong.extend([told] if is_wrong else [])

    page.on("pageerror", lambda error: notice(str(error), is_wrong=True))
    page.on("console", lambda told: notice(told.text, is_wrong=is_error(told)))
    page.on("request", lambda asked: notice(asked.url, is_wrong=not asked.url.startswith(site)))
    yield page
    context.close()
    assert not wrong


def is_error(told: Any) -> bool:
    """An error, but for the line that Chromium writes of each refusal by the site itself."""
    return told.type == "error" and not REFUSALS.search(told.text)


@pytest.fixture
def picture(request: pytest.FixtureRequest, page: Any) -> Callable[[str], None]:
    """Takes one of the whole page, which must not be wider than the screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth")
        width = page.viewport_size["width"]
        assert wide <= width
        clean = re.sub(r"\W+", "-", name)
        page.screenshot(path=PICTURES / f"{clean}-{width}.png", full_page=True)

    return take
