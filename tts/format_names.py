"""Which format is meant by who names a codec, or a file by its extension."""

from __future__ import annotations

from tts.conf import TTSConfig
from tts.formats import codec_named, format_for
from tts.providers.base import Provider
from tts.transcoding import is_made_here


def format_named(name: str, provider: Provider, config: TTSConfig) -> str | None:
    """The configured one or the provider's where it fits, else one made here; None: no such."""
    formats = (*((config.format,) if config.format else ()), *provider.formats)
    if found := format_for(name, formats):
        return found
    codec = codec_named(name)
    return codec if is_made_here(codec) else None
