"""Addresses of speech: `audio/<name>.<extension>`, whose name holds the whole request, sealed.

request -> complete -> JSON -> deflated -> sealed with the site's SECRET_KEY -> name -> request

Making one asks nothing and stores nothing, so a page of fifty players costs no query. It is sealed
by AES-SIV: who has no key can neither read the text (law 11) nor make another name, and it takes
no nonce, so that the same request has the same address in every process, and what browsers and
proxies keep of it is found again. Two equal addresses say that the requests are equal, no more.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import salted_hmac

from audiocache.canonical import canonical
from tts.exceptions import InvalidSpeechRequest
from tts.formats import codec_of
from tts.providers.base import MissingExtra
from tts.speech import SpeechRequest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    from tts.service import TTSService

MAX_NAME: Final = 3500
"""Characters: gunicorn refuses a line above 4,094, of which a prefix has its share."""
STEPS: Final = 8
"""Into so many is a life divided: addresses made within one of them are the same."""

FIELDS: Final = {
    "t": "text", "p": "provider", "m": "model", "v": "voice", "l": "language",
    "f": "audio_format", "r": "sample_rate", "s": "speed", "i": "instructions", "x": "ssml",
    "o": "options", "n": "voice_revision",
}  # fmt: skip
"""Of a request, by its letter in a name. A letter never changes its meaning."""
NAMESPACE: Final = "N"
UNTIL: Final = "U"
FORM: Final = b"1"
"""Of what is sealed; another one has another number."""


class Addressed(NamedTuple):
    """What an address stands for."""

    request: SpeechRequest
    """Complete but for its provider, so that fallbacks may answer it."""
    provider: str
    """Whose voices it names."""
    namespace: str = ""
    until: int | None = None
    """Seconds since the epoch; None: it has no end."""


class NoSuchAddress(Exception):
    """A name that this site did not make, or whose time is over."""


def url_of(
    service: TTSService,
    request: SpeechRequest,
    *,
    namespace: str = "",
    expires_in: float | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """The path under which this speech is played; it is made at its first play.

    `expires_in` seconds, or up to an eighth more, it is good for. Raises InvalidSpeechRequest,
    also for a text that is too long for an address.
    """
    complete = service.prepared(request, namespace).request
    until = None if expires_in is None else _until(expires_in, clock())
    extension = codec_of(complete.audio_format or "")
    name = name_of(complete, extension, namespace=namespace, until=until)
    return reverse("tts:audio", kwargs={"name": name, "extension": extension})


def name_of(
    request: SpeechRequest, extension: str, *, namespace: str = "", until: int | None = None
) -> str:
    """The sealed name of a complete request. Raises InvalidSpeechRequest when it gets too long."""
    packed = _packed(request.spoken(), {NAMESPACE: namespace, UNTIL: until})
    sealed = _seal(settings.SECRET_KEY).encrypt(packed, [FORM, extension.encode()])
    name = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    if len(name) > MAX_NAME:
        raise InvalidSpeechRequest("text", "is too long for an address")
    return name


def addressed_by(name: str, extension: str, clock: Callable[[], float] = time.time) -> Addressed:
    """What a name stands for. Raises NoSuchAddress."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    addressed = _read(name, extension, secrets)
    if addressed.until is not None and addressed.until <= clock():
        raise NoSuchAddress
    return addressed


@lru_cache(maxsize=1024)
def _read(name: str, extension: str, secrets: tuple[str, ...]) -> Addressed:
    """Remembered: a browser asks several times for one sound."""
    return _unpacked(_opened(_bytes_of(name), [FORM, extension.encode()], secrets))


def _until(seconds: float, now: float) -> int:
    if not 0 < seconds < math.inf:
        raise ValueError("expires_in must be a finite number above 0")
    step = seconds / STEPS
    return math.ceil(math.ceil(now / step) * step + seconds)


# What is in a name


def _packed(request: SpeechRequest, more: dict[str, Any]) -> bytes:
    found = {letter: getattr(request, field) for letter, field in FIELDS.items()} | more
    given = {letter: value for letter, value in found.items() if value}
    return zlib.compress(canonical(given).encode(), 9, -zlib.MAX_WBITS)


def _unpacked(packed: bytes) -> Addressed:
    """Of what was sealed here, and so was complete."""
    found: dict[str, Any] = json.loads(zlib.decompress(packed, -zlib.MAX_WBITS))
    fields = {name: found[letter] for letter, name in FIELDS.items() if letter in found}
    provider = fields.pop("provider")
    request = SpeechRequest(**fields).completed()
    return Addressed(request, provider, found.get(NAMESPACE, ""), found.get(UNTIL))


def _bytes_of(name: str) -> bytes:
    try:
        sealed = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4))
    except (binascii.Error, ValueError):
        raise NoSuchAddress from None
    # The last character has bits that mean nothing: one sound has one name.
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != name:
        raise NoSuchAddress
    return sealed


# The seal


def _opened(sealed: bytes, bound: list[bytes], secrets: tuple[str, ...]) -> bytes:
    """By the site's key, or one that it had before."""
    seals = [_seal(secret) for secret in secrets]
    from cryptography.exceptions import InvalidTag

    for seal in seals:
        try:
            return seal.decrypt(sealed, bound)
        except (InvalidTag, ValueError):  # ValueError: shorter than its tag
            continue
    raise NoSuchAddress


@lru_cache(maxsize=8)
def _seal(secret: str) -> AESSIV:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    except ImportError:
        message = "Addresses of speech need: pip install 'django-audiocache[web]'"
        raise MissingExtra(message) from None
    return AESSIV(salted_hmac("tts.addresses", b"", secret=secret, algorithm="sha512").digest())
