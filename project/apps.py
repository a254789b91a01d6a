"""The demo site as an app: it has the command `demo`."""

from __future__ import annotations

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """No models, nothing to make ready."""

    name = "project"
    verbose_name = "Demo site"
