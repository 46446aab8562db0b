"""What operators see of completeness."""

import pytest
from django.test import Client

from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator, signed_in
from usage.models import IngestIncident, Machine, MachineStream, StreamRun
from usage.periods import BUCKET_MS, bucket_start

pytestmark = pytest.mark.django_db
STREAM = "0192f1e4-0000-7000-8000-000000000001"
AT = bucket_start(1_796_052_600_000)


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


@pytest.fixture
def web() -> Machine:
    machine = a_machine(a_customer(), "web-1", last_seen_ms=AT, clock_skew_ms=7_250)
    StreamRun.objects.create(machine=machine, stream=STREAM, lo=0, hi=10)
    StreamRun.objects.create(machine=machine, stream=STREAM, lo=12, hi=1_300)
    MachineStream.objects.create(machine=machine, stream=STREAM, since_ms=AT - BUCKET_MS, until_ms=AT, late_samples=3)
    a_bucket(machine, AT - BUCKET_MS)
    return machine


def test_the_fleet_shows_who_needs_a_look(desk: Client, web: Machine) -> None:
    a_machine(web.customer, "db-1")

    everybody = desk.get("/admin/usage/machine/completeness/").content.decode()
    holed = desk.get("/admin/usage/machine/completeness/?show=holes").content.decode()
    nobody = desk.get("/admin/usage/machine/completeness/?show=alarms").content.decode()

    assert "web-1" in everybody
    assert "db-1" in everybody
    assert "7.2 s ahead" in everybody
    assert "web-1" in holed
    assert "db-1" not in holed
    assert "No machine needs a look for this reason." in nobody


def test_one_machine_shows_its_streams_and_holes(desk: Client, web: Machine) -> None:
    IngestIncident.objects.create(kind="overlap", machine_code="web-1", detail="Copied", count=12)

    page = desk.get(f"/admin/usage/machine/{web.pk}/completeness/").content.decode()

    assert STREAM in page
    assert "10 to 11" in page
    assert "1,298" in page  # received
    assert "12 times" in page
    assert "+7.2 s" in page


def test_both_pages_are_for_staff_who_may_see_machines(web: Machine) -> None:
    clerk = signed_in(a_member(email="clerk@corehour.example", is_staff=True))
    urls = ("/admin/usage/machine/completeness/", f"/admin/usage/machine/{web.pk}/completeness/")

    assert [clerk.get(url).status_code for url in urls] == [403, 403]
    assert [Client().get(url).status_code for url in urls] == [302, 302]


def test_a_machine_that_never_sent_has_an_empty_page(desk: Client) -> None:
    machine = a_machine(a_customer(), "db-1")

    page = desk.get(f"/admin/usage/machine/{machine.pk}/completeness/").content.decode()

    assert "never seen" in page
    assert "Nothing with a sequence number" in page
