"""What a load balancer and a monitor ask: is this process alive, is its database there, and does a worker still store?"""

import logging
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kafka.errors import KafkaError

from usage.broker import answers
from usage.models import IngestOffset, WorkerBeat

log = logging.getLogger(__name__)
FRESH = timedelta(seconds=60)


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


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 where this server can do its work, else 503; with `?worker=1` and `?broker=1` only where those do theirs too.

    Without them a web server is not taken out of service because a worker stands still: pages and invoices need none.
    """
    try:
        found: dict[str, Any] = {"database": "ok", "worker": worker_state()}
    except DatabaseError:
        log.exception("The database does not answer")
        return JsonResponse({"status": "failing", "database": "away"}, status=503)
    ready = found["worker"] == "fresh" or "worker" not in request.GET
    if "broker" in request.GET:
        found["broker"] = _broker()
        ready = ready and found["broker"] == "ok"
    return JsonResponse({"status": "ok" if ready else "failing", **found}, status=200 if ready else 503)


def worker_state() -> str:
    """`fresh` where a worker gave a sign of life in the last minute, `stale` where it stopped to, `none` where none is there."""
    newest = WorkerBeat.objects.aggregate(newest=Max("beat_at"))["newest"]
    if newest is None:
        return "none"
    return "fresh" if now() - newest <= FRESH else "stale"


def _broker() -> str:
    try:
        answers()
    except KafkaError as error:
        log.warning("Kafka does not answer: %s", error)
        return "away"
    return "ok"


def offsets_age_s() -> int | None:
    """Seconds since any partition's offset last moved; None where none ever did."""
    newest = IngestOffset.objects.aggregate(newest=Max("updated_at"))["newest"]
    return int((now() - newest).total_seconds()) if newest else None
