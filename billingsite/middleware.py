"""What every HTTP answer carries: a request id, and a content security policy that fits the page."""

import re
import uuid
from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware

SANE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class RequestIdMiddleware:
    """Name each request, so that an error a customer reads aloud can be found in the log. A name that was sent is kept."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get("X-Request-Id", "")
        request.META["REQUEST_ID"] = request_id = sent if SANE_ID.fullmatch(sent) else uuid.uuid4().hex[:12]
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class CompressedPages(GZipMiddleware):
    """Pages and their data travel compressed, padded at random so that their length gives no secret away.

    The API keeps its strong ETags, which compressing on the way would weaken.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.get("Content-Type", "")
        if request.path.startswith("/api/v1/") or not kind.startswith(("text/", "application/json")):
            return response
        return super().process_response(request, response)


class ContentSecurityPolicy(CSPMiddleware):
    """Strict everywhere, except that the admin's Alpine.js needs `eval` and inline styles, and only the admin gets them."""

    def get_policy_parts(self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path.startswith(("/admin/", "/api/docs/")):
            parts.update = {
                "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
                "style-src": [SELF, UNSAFE_INLINE],
            }
        return parts
