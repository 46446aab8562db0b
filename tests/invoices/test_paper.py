"""The paper's own producer, as ten lines of kafka-python that know nothing of us, is billed by the paper's tariff."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from invoices.estimate import estimate
from invoices.models import RatePlan, Subscription
from tests.cast import a_customer, a_machine
from tests.processes import program
from tests.usage.kafka import drain
from usage.models import UsageBucket
from usage.periods import month_of

pytestmark = [pytest.mark.kafka, pytest.mark.django_db(transaction=True)]
PRODUCER = """
import json, sys
from kafka import KafkaProducer

producer = KafkaProducer(bootstrap_servers=sys.argv[1])
message = {"machine_id": "paper-1", "cpu_usage": 37.5, "memory_usage": 61.2}
producer.send(sys.argv[2], json.dumps(message).encode())
producer.flush()
"""


def test_one_reading_of_the_paper_costs_what_the_paper_says(kafka_bootstrap: str, topic: str) -> None:
    customer = a_customer("lab", currency="USD", timezone="America/New_York")
    a_machine(customer, "paper-1")
    call_command("load_plan", "paper", publish=True)
    start = month_of(now() - timedelta(days=1), customer.zone).start
    Subscription.objects.create(customer=customer, plan=RatePlan.objects.get(code="paper"), start=start)

    output, _ = program("-c", PRODUCER, kafka_bootstrap, topic).communicate(timeout=60)
    total = drain(kafka_bootstrap, topic)
    bill = estimate(customer)

    assert (total.stored, total.rejected) == (1, 0), output
    assert Decimal(bill.exact_text) == Decimal("2.487")
    # Each line is rounded once: 1.875 is 1.88, 0.612 is 0.61.
    assert [(line.name, line.amount_minor) for line in bill.lines] == [("CPU percent", 188), ("Memory percent", 61)]
    assert bill.total_minor == 249
    assert UsageBucket.objects.get().cpu_ms == 0
