"""What a worker tells Prometheus of itself, in a door of its own (METRICS_PORT). For the web see billingsite/metrics.py."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

MESSAGES = Counter("corehour_worker_messages", "Messages by what became of them", ["state"])
SAMPLES = Counter("corehour_worker_samples", "Samples by what became of them", ["state"])
REJECTED = Counter("corehour_worker_rejected", "Refused messages by reason", ["reason"])
BATCH_SECONDS = Histogram(
    "corehour_worker_batch_seconds",
    "Time to decode and store one batch",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
FENCED = Counter("corehour_worker_fenced", "Batches that another worker had stored meanwhile")
OUTAGES = Counter("corehour_worker_outages", "Times that the database did not answer")
LAG = Gauge("corehour_worker_lag", "Messages in Kafka that are not stored yet", ["topic", "partition"])
NEWEST = Gauge("corehour_worker_newest_sample_seconds", "End of the newest sample stored by this worker, epoch seconds")


def serve(port: int, address: str) -> None:
    """Answer /metrics on a thread of its own. Raise OSError where the port is taken."""
    start_http_server(port, address)
