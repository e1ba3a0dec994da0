"""Metrics for Prometheus. No session: whoever asks shows the token of the settings, or there is no such page."""

import ipaddress
import secrets

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from core.middleware import peer_address
from core.policy import public
from usage.exposition import CONTENT_TYPE, written
from usage.metrics import metrics


@public
@require_safe
def scrape(request: HttpRequest) -> HttpResponse:
    """All metrics. 404 without a token in the settings or from an address that they do not list, 401 for a wrong token."""
    if not settings.METRICS_TOKEN or not _is_listed(request):
        raise Http404
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    given = request.headers.get("Authorization", "").encode("utf-8", "replace")
    if not secrets.compare_digest(given, wanted):
        return HttpResponse("401\n", status=401, content_type="text/plain", headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(written(metrics()), content_type=CONTENT_TYPE)


def _is_listed(request: HttpRequest) -> bool:
    """Whether the peer may ask; an empty list allows all."""
    if not settings.METRICS_ADDRESSES:
        return True
    peer = peer_address(request.META)
    if peer is None:
        return False
    address = ipaddress.ip_address(peer)
    return any(address in network for network in settings.METRICS_ADDRESSES)
