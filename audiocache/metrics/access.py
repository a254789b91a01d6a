"""Who may read the metrics: nobody, until a site says so."""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest

from django.conf import settings
from django.http import HttpRequest

from audiocache import dotted_path
from audiocache.conf import CacheConfig


def may_read(request: HttpRequest, config: CacheConfig) -> bool:
    """While DEBUG is on, anybody; else by CACHE_METRICS_TOKEN or CACHE_METRICS_ACCESS."""
    if settings.DEBUG or _bears(request, config.metrics_token):
        return True
    own = access_of(config)
    return own is not None and bool(own(request))


def access_of(config: CacheConfig) -> Callable[[HttpRequest], object] | None:
    """What CACHE_METRICS_ACCESS names. Raises ImportError or TypeError."""
    if config.metrics_access is None:
        return None
    found = dotted_path.named(config.metrics_access)
    if not callable(found):
        raise TypeError("must name a callable")
    return found


def staff(request: HttpRequest) -> bool:
    """For CACHE_METRICS_ACCESS: those who may log into the admin."""
    user = getattr(request, "user", None)
    return bool(user and user.is_active and user.is_staff)


def _bears(request: HttpRequest, token: str | None) -> bool:
    word, _, given = request.headers.get("Authorization", "").partition(" ")
    is_same = compare_digest(given.strip().encode(), (token or "").encode())
    return token is not None and word.lower() == "bearer" and is_same
