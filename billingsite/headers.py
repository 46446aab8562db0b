"""Header fields of every answer beyond Django's own, and a short word for whoever asks for another host."""

import logging
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase

log = logging.getLogger(__name__)
PERMISSIONS = ", ".join(f"{name}=()" for name in ("camera", "geolocation", "microphone", "payment", "usb"))


class KnownHost:
    """Middleware, the outermost: scanners ask for any host, and a stack trace for each would bury the log."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            log.warning("Refused a request for the host %.100r; ALLOWED_HOSTS lists ours", request.META.get("HTTP_HOST", ""))
            return HttpResponse("This site does not answer under that name.\n", status=400, content_type="text/plain")
        answer: HttpResponseBase = self.get_response(request)
        return answer


class SafeFields:
    """Middleware: no camera, no other site's page may embed ours, and no cache keeps what somebody who signed in was shown."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer: HttpResponseBase = self.get_response(request)
        answer.setdefault("Permissions-Policy", PERMISSIONS)
        answer.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if "Authorization" in request.headers or "sessionid" in "".join(request.COOKIES):
            answer.setdefault("Cache-Control", "private, no-cache" if "ETag" in answer else "private, no-store")
        return answer
