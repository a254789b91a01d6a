"""Addresses of the demo site."""

from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path
from django.views.generic import RedirectView

from project.studio import views
from tts.health import livez, readyz

urlpatterns = [
    path("", views.page, name="studio"),
    path("studio/speak", views.speak, name="studio-speak"),
    path("reading", views.reading, name="reading"),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}project/studio.svg")),
    path("livez", livez),
    path("readyz", readyz),
    path("", include("audiocache.urls")),
    path("", include("tts.urls")),
    *staticfiles_urlpatterns(),  # while DEBUG is on, under any server
]
