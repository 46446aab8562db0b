"""The paper's worker, as its text describes it: each message opens the database, inserts, commits and closes it again.

`python -m benchmarks.paper BOOTSTRAP TOPIC FILE SECONDS MESSAGES` stops after so many of either and prints what it did.
It reads the same messages as the product's worker and keeps of each what the paper keeps: machine, CPU, memory, time.
"""

import json
import sqlite3
import sys
import time
import uuid

from kafka import KafkaConsumer

TABLE = "CREATE TABLE IF NOT EXISTS usage_data (machine_id TEXT, cpu_usage REAL, memory_usage REAL, timestamp REAL)"


def store(database: str, value: bytes) -> None:
    data = json.loads(value)
    sample = data["samples"][0]
    connection = sqlite3.connect(database)
    connection.execute(TABLE)
    row = (data["machine"], sample["cpu_ms"], sample["memory_mib_ms"], time.time())
    connection.execute("INSERT INTO usage_data VALUES (?, ?, ?, ?)", row)
    connection.commit()
    connection.close()


def drain(bootstrap: str, topic: str, database: str, *, seconds: float, messages: int) -> dict[str, float]:
    """Store messages one by one until the time or their number is up. The clock starts with the first."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"paper-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    count, began = 0, 0.0
    for record in consumer:
        began = began or time.perf_counter()
        store(database, record.value)
        count += 1
        if count >= messages or time.perf_counter() - began >= seconds:
            break
    lasted = time.perf_counter() - began
    consumer.close()
    return {"messages": count, "seconds": lasted}


if __name__ == "__main__":
    bootstrap, topic, database, seconds, messages = sys.argv[1:]
    print(json.dumps(drain(bootstrap, topic, database, seconds=float(seconds), messages=int(messages))), flush=True)
