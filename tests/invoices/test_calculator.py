"""The calculator on the plan page: what is typed in comes out as the quote, and what is wrong is said beside the field."""

from pathlib import Path

import pytest
from django.test import Client

from invoices import plan_file, publishing
from invoices.models import RatePlan
from tests.cast import a_customer, a_member, signed_in
from tests.invoices.rows import published, subscribed

pytestmark = pytest.mark.django_db
TIERS = {
    "name": "CPU",
    "model": "graduated",
    "meter": "cpu",
    "tiers": [{"up_to": "100", "unit_price": "0.05"}, {"unit_price": "0.04"}],
}
FEE = {"name": "Base fee", "model": "flat", "unit_price": "9.00"}
SHIPPED = sorted(Path(plan_file.__file__).parent.glob("plans/*.toml"))


@pytest.fixture
def client() -> Client:
    customer = a_customer("acme")
    subscribed(customer, published(FEE, TIERS))
    return signed_in(a_member(customer))


def test_usage_typed_in_is_priced_line_by_line(client: Client) -> None:
    page = client.get("/plan/?cpu=150").content.decode()

    assert '<data value="9.00">' in page
    assert '<data value="7.00">' in page
    assert '<data value="16.00">' in page


def test_a_mistake_is_said_beside_its_field_and_prices_nothing(client: Client) -> None:
    page = client.get("/plan/?cpu=much").content.decode()

    assert 'aria-invalid="true"' in page
    assert "CPU: Write a number of 0 or more" in page
    assert "What it comes to" not in page


def test_without_a_number_the_page_asks_and_answers_nothing(client: Client) -> None:
    page = client.get("/plan/?plan=unknown&cpu=").content.decode()

    assert 'name="cpu"' in page
    assert "What it comes to" not in page


def test_a_customer_without_a_plan_has_no_calculator() -> None:
    page = signed_in(a_member(a_customer("none"))).get("/plan/?cpu=1").content.decode()

    assert "Calculator" not in page


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_plan_can_be_read_and_calculated(path: Path) -> None:
    document = plan_file.read(path.read_text())
    publishing.publish(publishing.save_draft(document)[0])
    customer = a_customer(currency=document.currency)
    subscribed(customer, RatePlan.objects.get())
    usage = "&".join(f"{price.meter}=1000" for price in document.prices if price.meter)

    page = signed_in(a_member(customer)).get(f"/plan/?{usage}").content.decode()

    assert "What it comes to" in page
    assert "A month, before tax" in page
