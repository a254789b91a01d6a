"""manage.py speak "Hello" -o hello.wav"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from tts.exceptions import TTSError
from tts.format_names import format_named
from tts.management.arguments import add_request_arguments, request_of
from tts.service import TTSService, get_tts_service
from tts.speech import Speech

STDOUT: Final = "-"


class Command(BaseCommand):
    """Speaks a text into a file."""

    help = "Speak a text into a file, from the cache or through the provider."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The request's fields, and where the audio goes."""
        add_request_arguments(parser)
        parser.add_argument(
            "-o",
            "--output",
            required=True,
            help="file to write; its extension names the format, unless --format does; - is stdout",
        )
        parser.add_argument("--json", action="store_true", help="print the facts as JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        """Speak, write, tell."""
        started = time.perf_counter()
        try:
            service = get_tts_service()
            chosen = options["format"] or _format_of(service, options["output"])
            request = request_of({**options, "format": chosen})
            speech = service.synthesize_sync(request, namespace=options["namespace"])
        except (TTSError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        milliseconds = (time.perf_counter() - started) * 1000
        self._write(options["output"], speech.audio)
        self._tell(options, speech, milliseconds)

    def _write(self, output: str, audio: bytes) -> None:
        try:
            if output == STDOUT:
                _write_stream(self.stdout, audio)
            else:
                write_whole(Path(output), audio)
        except OSError as error:
            raise CommandError(f"cannot write {output}: {error.strerror}") from error

    def _tell(self, options: dict[str, Any], speech: Speech, milliseconds: float) -> None:
        facts = _facts(options["output"], speech, milliseconds)
        line = json.dumps(facts) if options["json"] else _sentence(facts)
        (self.stderr if options["output"] == STDOUT else self.stdout).write(line)


def _format_of(service: TTSService, output: str) -> str | None:
    """The format that the file's extension stands for; None where it has none."""
    extension = Path(output).suffix if output != STDOUT else ""
    if not extension:
        return None
    if (found := format_named(extension, service.provider, service.config)) is None:
        raise CommandError(
            f"--output: {service.provider.name} makes no {extension} files, "
            f"but {', '.join(service.provider.formats)}"
        )
    return found


def _facts(output: str, speech: Speech, milliseconds: float) -> dict[str, Any]:
    return {
        "output": output,
        "tier": speech.tier,
        "milliseconds": round(milliseconds, 1),
        "bytes": len(speech.audio),
        "content_type": speech.content_type,
        "duration": speech.duration,
        "stale": speech.stale,
        "key": speech.key,
    }


def _sentence(facts: dict[str, Any]) -> str:
    length = "" if facts["duration"] is None else f", {facts['duration']:.2f} s of sound"
    return (
        f"{facts['output']}: {facts['bytes']} bytes of {facts['content_type']}{length}, "
        f"from {facts['tier']} in {facts['milliseconds']} ms"
    )


def _write_stream(stream: Any, audio: bytes) -> None:
    binary = getattr(stream, "buffer", None) or sys.stdout.buffer
    binary.write(audio)
    binary.flush()


def write_whole(path: Path, audio: bytes) -> None:
    """Write a file so that no reader ever sees half of it. Raises OSError."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(audio)  # A device or a pipe is written to, not replaced.
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(audio)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
