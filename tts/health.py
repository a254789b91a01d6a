"""For those who watch over processes: does it live, and may visitors be sent to it?

A tier or a provider in trouble does not make a process unready: it still answers, and sending its
visitors elsewhere would help nobody. It is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audiocache.database import default_alias, is_own_file
from audiocache.draining import is_draining
from tts.service import TTSService, get_tts_service

SITE: Final = "default"


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """It answers: that is all. Touches nothing."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """503 while migrations are missing or the process drains; what is in trouble is named."""
    troubles = list(_troubles())
    unready = [*(["draining"] if is_draining() else []), *_missing_migrations(troubles)]
    told = {"ready": not unready, "unready": unready, "troubles": troubles}
    return JsonResponse(told, status=503 if unready else 200)


def _troubles() -> Iterator[str]:
    """Names of tiers and providers that are passed over now."""
    try:
        service = get_tts_service()
        yield from _tiers(service)
        yield from _providers(service)
    except ImproperlyConfigured:  # the system checks say which
        yield "settings"


def _tiers(service: TTSService) -> Iterator[str]:
    rungs = service.cache.ladder.rungs
    return (rung.tier.name for rung in rungs if not rung.circuit.available)


def _providers(service: TTSService) -> Iterator[str]:
    for told in service.get_provider_stats():
        if told["state"] != "closed":
            yield f"{told['provider']} {told['kind']}"
    yield from (f"{name} paused" for name in service.paused_providers())


def _missing_migrations(troubles: list[str]) -> list[str]:
    """The aliases that lack some; one that does not answer is in trouble, and no more is known."""
    missing = []
    for alias in _aliases():
        try:
            if not _migrated(alias):
                missing.append(f"migrations {alias}")
        except (DatabaseError, InterfaceError):
            troubles.append(f"database {alias}")
    return missing


def _aliases() -> list[str]:
    """The cache's own file is not among them: its first use creates and migrates it."""
    clips = default_alias()
    return [SITE] if is_own_file(clips) else list(dict.fromkeys([SITE, clips]))


class _Missing(Exception):
    """There are migrations to be run."""


def _migrated(alias: str) -> bool:
    try:
        _check_migrations(alias)
    except _Missing:
        return False
    return True


@cache
def _check_migrations(alias: str) -> None:
    """Looked at until there is nothing to run: a release that is complete stays so."""
    executor = MigrationExecutor(connections[alias])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _Missing
