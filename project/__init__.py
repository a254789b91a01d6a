"""The demo site: it wires audiocache and tts together. It is not in the wheel."""

from .celery import app as celery_app

__all__ = ["celery_app"]
