"""A process that opens pages alone, one after another: `python -m benchmarks.weighed`, a list of [address, cookie] on its input.

Prints of each how many queries it takes, what travels to the browser (gzip), how long it took and Python's processor time in it.
"""

import json
import sys
import time
from typing import Any

import django

TIMES = 3


def main() -> None:
    django.setup()
    from django.test import Client

    pages = json.loads(sys.stdin.readline())
    client = Client(SERVER_NAME="localhost")
    print(json.dumps([_weighed(client, *page) for page in pages]), flush=True)


def _weighed(client: Any, address: str, cookie: str) -> dict[str, int]:
    """The first look warms up; of the others the median counts."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    headers = {"cookie": cookie, "accept-encoding": "gzip"}
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(address, headers=headers)
    queries = len(caught)  # Before the next request clears them.
    looks = []
    for _ in range(TIMES):
        began, cpu = time.monotonic(), time.process_time()
        answer = client.get(address, headers=headers)
        looks.append((time.monotonic() - began, time.process_time() - cpu))
    took, cpu = sorted(looks)[TIMES // 2]
    alone = {"status": answer.status_code, "queries": queries, "bytes": len(answer.content)}
    return alone | {"alone_ms": round(took * 1000), "cpu_ms": round(cpu * 1000)}


if __name__ == "__main__":
    main()
