"""The app `audiocache`."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AudioCacheConfig(AppConfig):
    """Registers the cache's database alias; starts, connects to and queries nothing."""

    name = "audiocache"
    verbose_name = _("Audio cache")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import setting_changed

        from audiocache import builder, checks, database, metrics, signals  # noqa: F401 - registers the checks

        database.register()
        signals.cache_built.connect(metrics.begin)
        setting_changed.connect(builder.on_setting_changed)
