"""The base of all tables: on the cache's own database alias (`audiocache.database`).

The manager and `save` choose it; no router is needed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from audiocache.database import default_alias


class CacheManager(models.Manager[Any]):
    """Queries the cache's own database unless told another."""

    def get_queryset(self) -> models.QuerySet[Any]:
        """On the cache's alias."""
        return super().get_queryset().using(self._db or default_alias())


class CacheModel(models.Model):
    """Base of all tables: reads and writes go to the cache's own database."""

    objects: ClassVar[CacheManager] = CacheManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        """Save on the cache's alias."""
        super().save(*args, using=using or self._state.db or default_alias(), **kwargs)

    def delete(
        self, using: str | None = None, keep_parents: bool = False
    ) -> tuple[int, dict[str, int]]:
        """Delete from the cache's alias."""
        return super().delete(using or self._state.db or default_alias(), keep_parents)
