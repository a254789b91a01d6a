"""How a phrase is to sound, on the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from tts.speech import SpeechRequest


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


def add_request_arguments(parser: ArgumentParser) -> None:
    """The text, and all that a request says of it."""
    parser.add_argument("text")
    add_voice_arguments(parser)
    parser.add_argument("--speed", type=float, help="a factor; 1 is normal")
    parser.add_argument("--instructions", help="how to speak, for providers that take it")
    parser.add_argument("--ssml", action="store_true", help="the text is SSML")


def request_of(options: dict[str, Any]) -> SpeechRequest:
    """What the arguments of `add_request_arguments` ask for."""
    return SpeechRequest(
        options["text"],
        speed=options["speed"],
        instructions=options["instructions"],
        ssml=options["ssml"],
        **voice_fields(options),
    )
