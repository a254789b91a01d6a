"""The demo site's Celery application: `celery -A project worker -B`."""

import os
from pathlib import Path
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_folders(sender: Celery, **_: Any) -> None:
    """Neither the filesystem broker nor beat makes its folder."""
    folders = [Path(sender.conf.beat_schedule_filename).parent]
    folders += sender.conf.broker_transport_options.values()
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)


@app.on_after_finalize.connect
def schedule_tasks(sender: Celery, **_: Any) -> None:
    # Imported here: it reads the settings, which import this module.
    from audiocache.celery import beat_schedule

    sender.conf.beat_schedule = beat_schedule()
