"""The cache in Django's admin: look, listen, remove, extend and pin."""

from __future__ import annotations

from audiocache.admin.entries import AudioCacheEntryAdmin

__all__ = ["AudioCacheEntryAdmin"]
