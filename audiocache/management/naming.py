"""Naming a clip on the command line: a text, its namespace and its variant."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import CommandError

from audiocache.entries import Clip
from audiocache.keys import clip_of

LABELS: Final = ("provider", "model", "voice", "language", "format")


def add_variant_arguments(parser: ArgumentParser) -> None:
    """--namespace, a short option for each usual part of a variant, and --variant."""
    parser.add_argument("--namespace", default="")
    for label in LABELS:
        parser.add_argument(f"--{label}", help=f"the same as --variant {label}=...")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a part of the variant; the value is read as JSON where it is JSON",
    )


def clip_from(text: str, options: dict[str, Any]) -> Clip:
    """The clip that text and options name. Raises CommandError that names the parameter."""
    try:
        return clip_of(text, _variant(options), options["namespace"] or "")
    except (TypeError, ValueError) as error:
        raise CommandError(str(error)) from error


def has_variant(options: dict[str, Any]) -> bool:
    """Was any part of a variant given?"""
    return bool(options["variant"]) or any(options[label] for label in LABELS)


def _variant(options: dict[str, Any]) -> dict[str, Any]:
    given = dict(_pair(part) for part in options["variant"])
    return {label: options[label] for label in LABELS} | given


def _pair(part: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not (name and equals):
        # Not repeated: it may be an instruction, which is text.
        raise CommandError("--variant must be NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
