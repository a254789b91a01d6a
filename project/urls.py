"""Addresses of the demo site."""

from django.contrib import admin
from django.urls import include, path

from tts.health import livez, readyz

urlpatterns = [
    path("admin/", admin.site.urls),
    path("livez", livez),
    path("readyz", readyz),
    path("", include("tts.urls")),
]
