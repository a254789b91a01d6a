"""`{% load speech %}`: a player for a text, or its address alone. Neither waits for a provider.

    {% speech "Welcome" voice="nova" %}
    {% speech_url _("Welcome") as url %}

What can be no speech (a wrong voice, a text too long for an address, a missing extra) is an error
while DEBUG is on; else it is logged, and the page has the text without a player.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

from django import template
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tts import ssml
from tts.addresses import url_of
from tts.exceptions import InvalidSpeechRequest, TTSError
from tts.service import get_tts_service
from tts.speech import SpeechRequest

logger = logging.getLogger(__name__)
register = template.Library()

NO_ADDRESS: Final = ""


class Player(NamedTuple):
    """What the template shows."""

    url: str
    language: str
    transcript: str
    label: str


@register.inclusion_tag("tts/speech.html")
def speech(
    text: object, *, transcript: object = True, label: str = "", **how: Any
) -> dict[str, Any]:
    """A player with its text beside it; `transcript` is another text, or False for none.

    `how` is what `speech_url` takes.
    """
    plain = _plain(text)
    spoken = _spoken(plain) if how.get("ssml") else plain
    shown = (spoken if transcript is True else _plain(transcript)) if transcript else ""
    url, request = _addressed(plain, **how)
    player = Player(
        url=url,
        language=request.language or "",
        transcript=shown,
        label=label or spoken,
    )
    return player._asdict()


@register.simple_tag
def speech_url(text: object, **how: Any) -> str:
    """The address under which a text is heard.

    Takes voice, model, audio_format, speed, language, instructions, ssml; `expires_in` seconds,
    `namespace`.
    """
    return _addressed(_plain(text), **how)[0]


def _addressed(
    text: str, *, expires_in: float | None = None, namespace: str = "", **fields: Any
) -> tuple[str, SpeechRequest]:
    """The address, or none, and the request as far as it is complete."""
    request = SpeechRequest(text, **fields)
    service = get_tts_service()
    try:
        url = url_of(service, request, namespace=namespace, expires_in=expires_in)
        return url, service.prepared(request, namespace).request
    except (TTSError, ImproperlyConfigured) as error:
        if settings.DEBUG:
            raise
        field = error.field if isinstance(error, InvalidSpeechRequest) else ""
        logger.warning("no player error=%s field=%s", type(error).__name__, field)
        return NO_ADDRESS, request


def _plain(text: object) -> str:
    """A translation in its language now, and a literal of a template as any text."""
    return str(text) + ""


def _spoken(document: str) -> str:
    """The text of SSML, without its tags; of what is none, nothing."""
    try:
        return " ".join(ssml.read(document).spoken.split())
    except InvalidSpeechRequest:  # told by the address
        return ""
