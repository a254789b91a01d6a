"""What Prometheus asks for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audiocache.builder import get_audio_cache
from audiocache.metrics import MISSING_EXTRA, installed
from audiocache.metrics.access import may_read

REFUSED = "Set CACHE_METRICS_TOKEN or CACHE_METRICS_ACCESS: see docs/metrics.md.\n"


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics of this host's processes, as text."""
    config = get_audio_cache().config
    if not may_read(request, config):
        return _refused(has_token=config.metrics_token is not None)
    if not installed():
        return HttpResponse(f"{MISSING_EXTRA}\n", content_type="text/plain", status=501)
    from audiocache.metrics.exposition import exposed

    accept = request.headers.get("Accept", "")
    text, content_type = exposed(accept, request.GET.getlist("name[]"))
    return HttpResponse(text, content_type=content_type)


def _refused(*, has_token: bool) -> HttpResponse:
    response = HttpResponse(REFUSED, content_type="text/plain", status=401 if has_token else 403)
    if has_token:
        response["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return response
