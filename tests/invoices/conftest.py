"""A customer in Berlin with one machine, on a plan of a fee, CPU and transfer."""

import pytest

from accounts.models import Customer
from invoices.models import RatePlan
from tests.cast import a_customer, a_machine
from tests.invoices.rows import CPU, FEE, published, subscribed
from usage.models import Machine

TIERED = {"name": "Network out", "model": "graduated", "meter": "network_out"}
TIERS = [{"up_to": "100", "unit_price": "0"}, {"unit_price": "0.01"}]


@pytest.fixture
def plan(db: None) -> RatePlan:
    return published(FEE, CPU, {**TIERED, "tiers": TIERS})


@pytest.fixture
def customer(plan: RatePlan) -> Customer:
    """Subscribed long ago; machine web-1."""
    customer = a_customer("tideline", name="Tideline Cartography", address="Speicherweg 14\n20457 Hamburg")
    subscribed(customer, plan)
    return customer


@pytest.fixture
def machine(customer: Customer) -> Machine:
    return a_machine(customer, "web-1")
