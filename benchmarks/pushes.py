"""A process that pushes as the worker does after its commits: `python -m benchmarks.pushes SECONDS`, customers on its input.

Every machine has a sample a second, the machines spread evenly over it; a point's time is the instant it was due.
"""

import json
import sys
import time
import uuid
from typing import Any

import django

TICK_MS = 50


def main(seconds: int) -> None:
    django.setup()
    from usage.live import LivePush

    machines = [(customer["pk"], code) for customer in json.loads(sys.stdin.readline()) for code in customer["machines"]]
    push = LivePush()
    push.start()
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()
    first_ms = time.time_ns() // 1_000_000
    for tick in range(seconds * 1000 // TICK_MS):
        due_ms = first_ms + tick * TICK_MS
        time.sleep(max(0.0, due_ms / 1000 - time.time()))
        phase = tick * TICK_MS % 1000
        now = [place for number, place in enumerate(machines) if phase <= number * 1000 // len(machines) < phase + TICK_MS]
        push.add([_stored(pk, code, due_ms) for pk, code in now], due_ms)
    push.close()
    print(json.dumps({"points": seconds * len(machines)}), flush=True)


def _stored(customer_pk: int, code: str, end_ms: int) -> Any:
    from usage.classify import Decoded
    from usage.wire import Message, RawMessage, Row

    row = Row(0, end_ms - 1_000, end_ms, 500, 2_048_000, 0, 0, 0, 0, 0, 6_250_000, 6_250_000)
    raw = RawMessage("usage", "id", 0, 0, end_ms, None, None)
    return Decoded(raw, Message(1, code, uuid.UUID(int=0), 8, 32_768, (row,)), customer_pk=customer_pk), [row]


if __name__ == "__main__":
    main(int(sys.argv[1]))
