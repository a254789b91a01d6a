"""The app `tts`. Being ready starts nothing and connects to nothing (law 13)."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _


class TTSAppConfig(AppConfig):
    """Registers the checks, and gives up the service when settings change in a test."""

    name = "tts"
    verbose_name = _("Speech")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect signals of Django, nothing else."""
        from audiocache import retirement, signals, warmers
        from audiocache.doctor import registry as doctor
        from audiocache.management import figures, registry
        from tts import checks, metrics, money_checks, retired  # noqa: F401 - register themselves
        from tts.attempts import attempt_made
        from tts.budget import budget_unchecked
        from tts.service import reset_on_change

        doctor.register("decoding", "tts.doctor.decoding")
        doctor.register("prices", "tts.money_doctor.prices")
        doctor.register("budget", "tts.money_doctor.budget")
        retirement.register("tts", "tts.retired.dates")
        warmers.register("tts", "tts.warming.warm_stored_phrases")
        figures.register("money", "tts.management.money.figures")
        registry.register("warm", "tts.management.warm.Warm")
        registry.register("explain", "tts.management.explain.Explain")
        signals.cache_built.connect(metrics.begin)
        attempt_made.connect(metrics.on_attempt)
        signals.call_settled.connect(metrics.on_settled)
        budget_unchecked.connect(metrics.on_unchecked)
        setting_changed.connect(reset_on_change, dispatch_uid="tts.reset_on_change")
