"""The outbound guard: the one way from this product to an address somebody typed in (hostile-inputs 3G).

At save time :func:`check_url` judges the address. At run time :func:`guarded_session` and :func:`request` judge it
again at the socket, so what was checked is what is connected to. Needs no Django.
"""

from core.outbound.addresses import AddressRefused, AllowedTarget, OutboundPolicy, judge, listable
from core.outbound.client import GuardedResolver, Response, ResponseRefused, guarded_session, request
from core.outbound.urls import CheckedUrl, Lookup, ResolveFailed, check_url
from core.outbound.waits import retry_after_s

__all__ = [
    "AddressRefused",
    "AllowedTarget",
    "CheckedUrl",
    "GuardedResolver",
    "Lookup",
    "OutboundPolicy",
    "ResolveFailed",
    "Response",
    "ResponseRefused",
    "check_url",
    "guarded_session",
    "judge",
    "listable",
    "request",
    "retry_after_s",
]
