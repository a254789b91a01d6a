"""Addresses of the cache, for `include("audiocache.urls")` under any prefix."""

from __future__ import annotations

from django.urls import path

from audiocache.metrics.views import metrics

app_name = "audiocache"
urlpatterns = [path("metrics", metrics, name="metrics")]
