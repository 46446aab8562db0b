"""The explorer and the points of live charts, as a member, a colleague and a stranger meet them."""

import csv
import io
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from tests.cast import a_bucket, a_customer, a_machine, a_member, signed_in
from usage.models import Machine, UsageSample
from usage.periods import bucket_start, day_start, month_of, to_ms

pytestmark = pytest.mark.django_db
MINUTE_MS = 60_000


@pytest.fixture
def acme() -> Customer:
    return a_customer()


@pytest.fixture
def client(acme: Customer) -> Client:
    return signed_in(a_member(acme))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def a_sample(machine: Machine, end_ms: int, length_ms: int = 10_000, **quantities: int) -> UsageSample:
    values = {"cpu_ms": 5_000, "memory_mib_ms": 20_480_000, "cpu_upct": 6_250_000, "memory_upct": 12_500_000} | quantities
    return UsageSample.objects.create(
        machine=machine, stream=uuid.uuid4(), seq=0, start_ms=end_ms - length_ms, end_ms=end_ms, **values
    )


def test_points_are_shaped_as_the_socket_pushes_them(acme: Customer, client: Client) -> None:
    end = now_ms() - MINUTE_MS
    a_sample(a_machine(acme), end)

    answer = client.get("/usage/recent.json?customer=acme").json()

    assert answer["points"] == [
        {"machine": "web-1", "t": end, "cpu_percent": 6.25, "cores": 0.5, "memory_mib": 2048, "memory_percent": 12.5}
    ]
    assert abs(answer["now"] - now_ms()) < MINUTE_MS


def test_a_reading_without_an_interval_says_nothing_of_cores(acme: Customer, client: Client) -> None:
    a_sample(a_machine(acme), now_ms(), length_ms=0, cpu_ms=0, memory_mib_ms=0, cpu_upct=37_500_000, memory_upct=61_200_000)

    [point] = client.get("/usage/recent.json").json()["points"]

    assert (point["cpu_percent"], point["memory_percent"]) == (37.5, 61.2)
    assert (point["cores"], point["memory_mib"]) == (None, None)


def test_points_come_since_an_instant_and_never_from_longer_than_a_quarter_hour_ago(acme: Customer, client: Client) -> None:
    web = a_machine(acme)
    ago = {minutes: now_ms() - minutes * MINUTE_MS for minutes in (1, 5, 14, 16)}
    for end in ago.values():
        a_sample(web, end)

    everything = client.get("/usage/recent.json?since=0").json()["points"]
    newest = client.get(f"/usage/recent.json?since={ago[5]}").json()["points"]
    nonsense = client.get("/usage/recent.json?since=-1e9").json()["points"]

    assert [point["t"] for point in everything] == [ago[14], ago[5], ago[1]]
    assert [point["t"] for point in newest] == [ago[1]]
    assert nonsense == everything


def test_a_long_interval_is_drawn_through_and_no_further(acme: Customer, client: Client) -> None:
    end = now_ms()
    a_sample(a_machine(acme), end, length_ms=120_000)

    points = client.get("/usage/recent.json").json()["points"]

    assert [end - point["t"] for point in points] == [90_000, 60_000, 30_000, 0]
    assert len({point["cores"] for point in points}) == 1


def test_a_large_fleet_gets_coarser_points_and_not_more(acme: Customer, client: Client) -> None:
    web = a_machine(acme)
    Machine.objects.bulk_create(Machine(customer=acme, code=f"m-{number}") for number in range(199))
    end = bucket_start(now_ms()) - 1_000
    for second in range(4):
        a_sample(web, end - second * 1_000, length_ms=1_000, cpu_ms=1_000 * second)

    points = client.get(f"/usage/recent.json?since={end - 899_000}").json()["points"]

    assert len(points) == 1
    assert points[0]["cores"] == 1.5


def test_nobody_else_sees_the_points(acme: Customer) -> None:
    bolt = signed_in(a_member(a_customer("bolt"), email="boris@bolt.example"))
    a_sample(a_machine(acme), now_ms())

    assert Client().get("/usage/recent.json").status_code == 401
    assert bolt.get("/usage/recent.json?customer=acme").status_code == 404
    assert bolt.get("/usage/recent.json?machine=web-1").status_code == 404
    assert bolt.get("/usage/recent.json").json()["points"] == []


def test_the_page_shows_what_was_used_where_the_table_says_it(acme: Customer, client: Client) -> None:
    web = a_machine(acme, name="Web server", cores=4)
    a_bucket(web, to_ms(month_of(now(), acme.zone).start), cpu_ms=3_600_000 * 12 + 1)

    page = client.get("/usage/").content.decode()

    assert "Web server" in page
    assert '<data value="12.000">12.000</data>' in page
    assert '<usage-chart class="chart-tall"' in page


def test_an_empty_range_says_what_to_do(client: Client) -> None:
    assert "No usage in this range" in client.get("/usage/?range=last-month").content.decode()


def test_a_bad_range_is_named_and_never_an_error(client: Client) -> None:
    page = client.get("/usage/?range=custom&first=2026-02-31&last=x&group=%00&measure=';--")

    assert page.status_code == 200
    assert "Choose a first and a last day." in page.content.decode()


def test_the_csv_is_the_table_on_the_screen(acme: Customer, client: Client) -> None:
    today = day_start(now().astimezone(acme.zone).date(), acme.zone)
    yesterday = day_start((now().astimezone(acme.zone) - timedelta(days=1)).date(), acme.zone)
    a_bucket(a_machine(acme, name="=evil()", cores=4), to_ms(yesterday), cpu_ms=5_400_000)

    answer = client.get("/usage/usage.csv?range=last-7-days&step=day")
    rows = list(csv.reader(io.StringIO(answer.content.decode())))

    assert answer.headers["Content-Disposition"].startswith('attachment; filename="usage-acme-')
    assert rows[0] == ["start", "end", "'=evil() [core-hour]"]
    assert rows[-2] == [yesterday.isoformat(), today.isoformat(), "1.500"]
    assert rows[1][2] == ""  # nothing was metered that day
    assert len(rows) == 1 + 7


def test_by_meter_each_meter_has_a_chart_of_its_own(acme: Customer, client: Client) -> None:
    a_bucket(a_machine(acme), to_ms(month_of(now(), acme.zone).start), memory_mib_ms=1024 * 3_600_000, net_tx=2 * 10**9)

    page = client.get("/usage/?group=meter").content.decode()

    assert page.count("<usage-chart") == 3
    assert '<data value="2.000">2.000</data> GB' in page


def test_a_customer_of_the_per_sample_tariff_sees_the_readings_it_pays_for(acme: Customer, client: Client) -> None:
    start = to_ms(month_of(now(), acme.zone).start)
    a_bucket(a_machine(acme), start, cpu_ms=0, covered_ms=0, samples=1, cpu_upct=37_500_000, memory_upct=61_200_000)

    by_machine = client.get("/usage/").content.decode()
    by_meter = client.get("/usage/?group=meter").content.decode()

    assert '<data value="37.500">37.500</data>' in by_machine
    assert by_meter.count("<usage-chart") == 2
    assert "Memory percent per sample" in by_meter


def test_the_explorer_costs_the_same_for_one_machine_and_for_forty(
    acme: Customer, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    start = to_ms(month_of(now(), acme.zone).start)
    expected = 8  # session, user, customer, the menu, machines, summed days, totals, chart
    for machines in (1, 39):
        for _ in range(machines):
            a_bucket(a_machine(acme, f"m-{uuid.uuid4().hex[:8]}"), start)
        with django_assert_num_queries(expected):
            client.get("/usage/")


def test_comparing_costs_two_queries_more(
    acme: Customer, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    a_bucket(a_machine(acme), to_ms(month_of(now(), acme.zone).start))

    for query in ("", "&group=meter", "&group=class", "&picture=line"):
        with django_assert_num_queries(10):
            client.get(f"/usage/?compare=previous{query}")


def test_the_csv_has_the_total_and_the_period_before_as_the_table_does(acme: Customer, client: Client) -> None:
    days = [day_start((now().astimezone(acme.zone) - timedelta(days=back)).date(), acme.zone) for back in (0, 1, 7)]
    for code, cores in (("web-1", 1), ("db-1", 3)):
        machine = a_machine(acme, code, cores=4)
        for day in days[1:]:
            a_bucket(machine, to_ms(day), cpu_ms=3_600_000 * cores)

    address = "?range=last-7-days&step=day&compare=previous"
    rows = list(csv.reader(io.StringIO(client.get(f"/usage/usage.csv{address}").content.decode())))
    page = client.get(f"/usage/{address}").content.decode()

    unit = "[core-hour]"
    assert rows[0] == ["start", "end", f"db-1 {unit}", f"web-1 {unit}", f"Total {unit}", f"CPU, period before {unit}"]
    assert rows[-2][2:] == ["3.000", "1.000", "4.000", ""]
    assert rows[-1][2:] == ["", "", "", "4.000"]  # a week ago today
    assert "data-before" in page
    assert "+0.0" not in page


def test_a_search_and_a_class_leave_machines_out_everywhere(acme: Customer, client: Client) -> None:
    start = to_ms(month_of(now(), acme.zone).start)
    a_bucket(a_machine(acme, "web-1", name="Shop", cores=4, machine_class="small"), start, cpu_ms=3_600_000)
    a_bucket(a_machine(acme, "web-2", machine_class="large"), start, cpu_ms=7_200_000)

    found = client.get("/usage/?q=SHOP").content.decode()
    large = client.get("/usage/?class=large").content.decode()
    nothing = client.get("/usage/?q=mail").content.decode()

    assert "1 of 2 machines match" in found
    assert ">web-2<" not in found
    assert ">Shop<" not in large
    assert "No usage in this range" in nothing
    assert "or other machines" in nothing


def test_a_heat_map_says_in_words_what_it_shows(acme: Customer, client: Client) -> None:
    a_bucket(a_machine(acme, cores=4), to_ms(month_of(now(), acme.zone).start), cpu_ms=3_600_000)

    page = client.get("/usage/?picture=heat").content.decode()

    assert 'role="img" aria-label="CPU by local hour of each day; the busiest hour began on 1 ' in page
    assert "with 1.000 core" in page
    assert '<rect fill-opacity="1"' in page


@pytest.mark.parametrize("path", ["/usage/?machine=web-1", "/usage/usage.csv?machine=web-1", "/usage/?customer=acme"])
def test_a_foreign_machine_or_customer_is_not_there(acme: Customer, path: str) -> None:
    a_machine(acme)
    stranger = signed_in(a_member(a_customer("bolt"), email="boris@bolt.example"))
    member: Any = signed_in(a_member(acme))

    assert stranger.get(path).status_code == 404
    assert member.get(path).status_code == 200
