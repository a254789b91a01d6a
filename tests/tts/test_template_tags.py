"""`{% speech %}` and `{% speech_url %}`."""

from __future__ import annotations

import logging
import re
import sys
from html import unescape
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from tests.tts.doubles import StubProvider
from tts.addresses import _seal
from tts.exceptions import InvalidSpeechRequest
from tts.service import TTSService


def rendered(tag: str, **context: Any) -> str:
    return Template("{% load speech %}" + tag).render(Context(context))


def source(page: str) -> str:
    [url] = re.findall(r'<audio[^>]* src="([^"]*)"', page)
    return unescape(url)


def caption(page: str) -> str | None:
    found = re.search(r"<figcaption[^>]*>(.*?)</figcaption>", page)
    return found and found[1]


def test_the_player(installed: TTSService, provider: StubProvider) -> None:
    page = rendered('{% speech "Welcome" voice="bass" %}')
    assert '<audio controls preload="none"' in page
    assert 'aria-label="Listen: Welcome"' in page
    assert '<figcaption lang="en">Welcome</figcaption>' in page
    assert "autoplay" not in page
    assert not provider.calls
    response = Client().get(source(page))
    assert (response.status_code, response["Content-Type"]) == (200, "audio/wav")
    assert [(call.text, call.voice) for call in provider.calls] == [("Welcome", "bass")]


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ('{% speech "Welcome" transcript=False %}', None),
        ('{% speech "Welcome" transcript="In other words" %}', "In other words"),
        ('{% speech "Tom & <b>Jerry</b>" %}', "Tom &amp; &lt;b&gt;Jerry&lt;/b&gt;"),
        ("{% speech text %}", "a &lt; b"),
        ('{% speech _("Welcome") %}', "Welcome"),
        ("{% speech lazy %}", "Welcome"),
    ],
)
def test_the_transcript(installed: TTSService, tag: str, shown: str | None) -> None:
    page = rendered(tag, text=mark_safe("a < b"), lazy=gettext_lazy("Welcome"))
    assert caption(page) == shown
    assert "<audio" in page


def test_ssml_is_shown_without_its_tags(installed: TTSService, provider: StubProvider) -> None:
    page = rendered("{% speech text ssml=True %}", text="<speak>Good <b/> day</speak>")
    assert caption(page) == "Good day"
    assert "Listen: Good day" in page


def test_a_label_of_the_authors(installed: TTSService) -> None:
    page = rendered("{% speech text label=label %}", text="Welcome", label='"Play" it')
    assert 'aria-label="Listen: &quot;Play&quot; it"' in page


def test_the_address_alone(installed: TTSService) -> None:
    url = rendered('{% speech_url "Welcome" speed=1.5 as url %}{{ url }}')
    assert Client().get(url).status_code == 200
    assert source(rendered('{% speech "Welcome" speed=1.5 %}')) == url
    assert rendered('{% speech_url "Welcome" expires_in=60 %}') != url


def test_a_literal_and_a_text_have_one_address(installed: TTSService) -> None:
    literal = rendered('{% speech_url "Welcome" %}')
    assert literal == rendered("{% speech_url text %}", text="Welcome")
    assert literal == rendered("{% speech_url text %}", text=gettext_lazy("Welcome"))


def test_what_is_wrong_is_an_error_while_debug_is_on(installed: TTSService, settings: Any) -> None:
    settings.DEBUG = True
    with pytest.raises(InvalidSpeechRequest):
        rendered('{% speech "Welcome" voice="nobody" %}')


def test_else_the_page_has_the_text_without_a_player(
    installed: TTSService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        page = rendered('{% speech "Welcome" voice="nobody" %}')
        assert not rendered('{% speech_url "Welcome" voice="nobody" %}')
    assert caption(page) == "Welcome"
    assert "<audio" not in page
    assert "error=InvalidSpeechRequest field=voice" in caplog.text
    assert "Welcome" not in caplog.text


def test_what_nobody_knows_is_the_author_s_mistake(installed: TTSService) -> None:
    with pytest.raises(TypeError):
        rendered('{% speech "Welcome" voise="nova" %}')


def test_a_missing_extra_costs_a_page_its_player_alone(
    installed: TTSService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _seal.cache_clear()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    page = rendered('{% speech "Welcome" %}')
    assert "Welcome" in page
    assert "<audio" not in page
    assert "error=MissingExtra" in caplog.text
