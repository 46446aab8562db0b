"""What Prometheus learns from the database: offsets, lag, refusals, incidents, workers, the age of the newest sample.

For this host and for staff; whoever comes through a proxy is not this host. A worker's own counters are in usage/metrics.py.
"""

import time
from collections.abc import Iterator

from django.db.models import Count, F, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from accounts import wall
from accounts.access import may_see_fleet
from usage.desk_counts import reason_counts
from usage.models import IngestIncident, IngestOffset, Machine, WorkerBeat

LOOPBACK = ("127.0.0.1", "::1")
PROXY_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")
STATES = ("stored", "duplicate", "rejected", "skipped")


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape. Anybody but this host and staff finds nothing here."""
    direct = request.META.get("REMOTE_ADDR") in LOOPBACK and not any(name in request.headers for name in PROXY_HEADERS)
    if not direct and not may_see_fleet(request.user):
        raise Http404
    wall.shown("metrics")
    registry = CollectorRegistry()
    registry.register(_Books())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Books:
    """Reads the books at the moment of the scrape, so that every web process tells the same."""

    def collect(self) -> Iterator[Metric]:
        yield from _partitions()
        yield from _workers()
        yield _rejected()
        yield _incidents()
        yield _newest()


def _partitions() -> Iterator[Metric]:
    messages = CounterMetricFamily("corehour_messages", "Messages by what became of them", labels=["topic", "partition", "state"])
    samples = CounterMetricFamily("corehour_samples_stored", "Samples stored", labels=["topic", "partition"])
    offset = GaugeMetricFamily("corehour_next_offset", "Where the next batch begins", labels=["topic", "partition"])
    age = GaugeMetricFamily("corehour_batch_age_seconds", "Since the last batch was stored", labels=["topic", "partition"])
    for row in IngestOffset.objects.all():
        place = [row.topic, str(row.partition)]
        for state in STATES:
            messages.add_metric([*place, state], getattr(row, state))
        samples.add_metric(place, row.samples_stored)
        offset.add_metric(place, row.next_offset)
        age.add_metric(place, max(0.0, time.time() - row.updated_at.timestamp()))
    yield from (messages, samples, offset, age)


def _workers() -> Iterator[Metric]:
    """Of a partition that changed hands, the newest word counts."""
    age = GaugeMetricFamily("corehour_worker_age_seconds", "Since a worker's last sign of life", labels=["worker"])
    fenced = CounterMetricFamily("corehour_fenced", "Batches that another worker had stored meanwhile", labels=["worker"])
    lag = GaugeMetricFamily("corehour_lag", "Messages in Kafka that are not stored yet", labels=["partition"])
    latest: dict[str, int] = {}
    for beat in WorkerBeat.objects.order_by("beat_at"):
        age.add_metric([beat.name], max(0.0, time.time() - beat.beat_at.timestamp()))
        fenced.add_metric([beat.name], beat.fenced)
        latest |= beat.lag
    for partition, messages in sorted(latest.items()):
        lag.add_metric([partition], messages)
    yield from (age, fenced, lag)


def _rejected() -> Metric:
    rejected = GaugeMetricFamily("corehour_rejected_messages", "Refused messages on the desk", labels=["reason", "state"])
    for count in reason_counts():
        for state in ("open", "replayed", "discarded"):
            rejected.add_metric([count.reason, state], getattr(count, state))
    return rejected


def _incidents() -> Metric:
    incidents = GaugeMetricFamily("corehour_incidents_open", "Incidents that nobody has acknowledged", labels=["kind"])
    rows = IngestIncident.objects.filter(acknowledged_at=None).order_by().values_list("kind").annotate(count=Count("pk"))
    for kind, count in rows:
        incidents.add_metric([kind], count)
    return incidents


def _newest() -> Metric:
    newest = Machine.objects.filter(last_seen_ms__gt=0).aggregate(newest=Max(F("last_seen_ms")))["newest"]
    age = GaugeMetricFamily("corehour_newest_sample_age_seconds", "Since the end of the newest sample of any machine")
    if newest is not None:
        age.add_metric([], time.time() - newest / 1000)
    return age
