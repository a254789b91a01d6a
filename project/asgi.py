"""The demo site for an ASGI server."""

import os

from django.core.asgi import get_asgi_application

from audiocache.asgi import with_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = with_shutdown(get_asgi_application())
