"""How a phrase is to sound, on the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any


def add_voice_arguments(parser: ArgumentParser) -> None:
    """--voice, --model, --language, --format and --namespace."""
    parser.add_argument("--voice")
    parser.add_argument("--model")
    parser.add_argument("--language", help="a tag such as en or pt-br")
    parser.add_argument("--format", help="of the audio, such as mp3")
    parser.add_argument("--namespace", default="")


def voice_fields(options: dict[str, Any]) -> dict[str, Any]:
    """The request's fields that were given."""
    names = {"voice": "voice", "model": "model", "language": "language", "format": "audio_format"}
    return {field: options[name] for name, field in names.items() if options[name]}
