"""How often the API may be asked, told in the IETF's RateLimit header fields before it is met."""

import math
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import UserRateThrottle


class RatePerKey(UserRateThrottle):
    """So many requests a minute for each key or person; strangers share theirs by address."""

    num_requests: int  # Set by DRF from the rate.
    duration: int

    def allow_request(self, request: Request, view: Any) -> bool:
        allowed = super().allow_request(request, view)
        if getattr(self, "num_requests", None):
            self._tell(request)
        return allowed

    def _tell(self, request: Request) -> None:
        history: list[float] = getattr(self, "history", [])
        left = max(0, self.num_requests - len(history))
        reset = math.ceil(self.duration - (self.now - history[-1])) if history else self.duration
        request._request.rate_fields = {  # type: ignore[attr-defined] # accounts.limits.ApiLimits writes them
            "RateLimit-Policy": f'"default";q={self.num_requests};w={self.duration}',
            "RateLimit": f'"default";r={left};t={reset}',
        }
