"""A site's own authentication: TTS_AUTHENTICATION, from a request to a Caller.

What is wrong with it is the site's fault: the client hears no more than that, and the log has the
setting and the place. An exception's message is in neither: it may hold a key.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Collection
from typing import Final, cast

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest

from audiocache import dotted_path
from tts.access.callers import Caller
from tts.access.exceptions import AccessRefused, AuthenticationBroken
from tts.access.models import check_namespace

logger = logging.getLogger(__name__)

Own = Callable[[HttpRequest], object]

MEANT: Final = (AccessRefused, PermissionDenied, DatabaseError, InterfaceError)
"""What it may raise: these say by themselves what they are over HTTP."""


def caller_by(path: str, request: HttpRequest) -> Caller:
    """Whom the callable knows. Raises AccessRefused, AuthenticationBroken, and MEANT."""
    try:
        caller: object = cast("Own", dotted_path.named(path))(request)
    except MEANT:
        raise
    except Exception as error:
        raise _broken(path, f"{type(error).__name__} at {_place(error)}") from error
    if caller is None:
        raise AccessRefused("access was refused")
    return _right(path, caller)


def _right(path: str, caller: object) -> Caller:
    if not isinstance(caller, Caller):
        raise _broken(path, f"it gave {type(caller).__name__}, not a Caller")
    try:
        check_namespace(caller.namespace)
    except (TypeError, ValidationError) as error:
        raise _broken(path, "the namespace of its Caller is wrong") from error
    if not isinstance(caller.scopes, Collection):
        raise _broken(path, "the scopes of its Caller are no set")
    return caller


def _broken(path: str, why: str) -> AuthenticationBroken:
    logger.error("TTS_AUTHENTICATION %s fails: %s", path, why)
    return AuthenticationBroken("the site's authentication fails")


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"
