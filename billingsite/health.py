"""What a load balancer and a monitor ask: is the database there, and does the worker still store?"""

import logging

from django.db import DatabaseError, connection
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from usage.models import IngestOffset

log = logging.getLogger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the database answers, else 503. How long ago a batch was stored is for the reader to judge.

    A quiet topic stores nothing, so its age is no fault of this server.
    """
    try:
        connection.ensure_connection()
        age_s = offsets_age_s()
    except DatabaseError:
        log.exception("The database does not answer")
        return JsonResponse({"status": "failing", "database": "away", "offsets_age_s": None}, status=503)
    return JsonResponse({"status": "ok", "database": "ok", "offsets_age_s": age_s})


def offsets_age_s() -> int | None:
    """Seconds since any partition's offset last moved; None where none ever did."""
    newest = IngestOffset.objects.aggregate(newest=Max("updated_at"))["newest"]
    return int((now() - newest).total_seconds()) if newest else None
