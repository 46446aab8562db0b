"""What answers of the usage API look like, for its description."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _answer(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=["200"])


MACHINE = _answer(
    "A web server",
    {
        "code": "web-1",
        "name": "Web server 1",
        "customer": "acme",
        "machine_class": "",
        "cores": 8,
        "memory_mib": 32768,
        "last_seen_at": "2026-11-24T14:32:08Z",
        "created_at": "2026-10-01T08:00:00Z",
        "retired_at": None,
    },
)
NEW_MACHINE = OpenApiExample("A web server", {"code": "web-2", "name": "Web server 2"}, request_only=True)
RENAMED = OpenApiExample("Another name", {"name": "Web server 1"}, request_only=True)
MACHINE_ADDED = OpenApiExample(
    "It has not reported yet",
    {**MACHINE.value, "code": "web-2", "name": "Web server 2", "cores": 0, "memory_mib": 0, "last_seen_at": None},
    response_only=True,
    status_codes=["201"],
)
WATERMARK = _answer(
    "The first 17,280 samples are stored",
    {"machine": "web-1", "stream": "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f", "watermark": 17280},
)
USAGE = _answer(
    "One quarter hour of one machine",
    {
        "next": "http://localhost:8000/api/v1/usage/?cursor=MTc2NDAyODgwMDAwMCB3ZWItMQ%3D%3D&granularity=quarter&limit=1",
        "previous": None,
        "results": [
            {
                "machine": "web-1",
                "start": "2026-11-24T14:15:00Z",
                "end": "2026-11-24T14:30:00Z",
                "covered_ms": 900000,
                "samples": 90,
                "quantities": {"cpu": {"quantity": "0.25", "unit": "core-hour", "base": 900000, "base_unit": "core-ms"}},
            }
        ],
    },
)
SAMPLE = _answer(
    "Ten seconds of a web server",
    {
        "stream": "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f",
        "seq": 17,
        "start": "2026-11-24T14:32:00Z",
        "end": "2026-11-24T14:32:10Z",
        "cpu_percent": "39.0625",
        "memory_percent": "50",
        "cpu_ms": 31250,
        "memory_mib_ms": 163840000,
        "disk_mib_ms": 2048000000,
        "net_rx": 120394,
        "net_tx": 88123,
        "disk_read": 0,
        "disk_write": 40960,
    },
)
