"""The usage API as an integrator meets it."""

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from tests.cast import a_bucket, a_customer, a_machine, a_member, signed_in, with_key
from usage.models import StreamRun, UsageSample
from usage.periods import BUCKET_MS, to_ms

pytestmark = pytest.mark.django_db
STREAM = uuid.UUID("0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f")
KEY_QUERIES = 2  # the key with its customer, and when it was last used


@pytest.fixture(autouse=True)
def _no_one_is_throttled() -> None:
    cache.clear()


@pytest.fixture
def acme() -> Customer:
    return a_customer("acme")


@pytest.fixture
def client(acme: Customer) -> Client:
    return with_key(acme)


def at(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def a_sample(machine: Any, seq: int, end: str, **fields: Any) -> UsageSample:
    end_ms = at(end)
    return UsageSample.objects.create(machine=machine, stream=STREAM, seq=seq, start_ms=end_ms - 10_000, end_ms=end_ms, **fields)


def test_machines_of_the_keys_customer_and_no_other(acme: Customer, client: Client) -> None:
    a_machine(acme, "web-1", name="Web", cores=8, memory_mib=32768, last_seen_ms=at("2026-11-24T14:32:08Z"))
    a_machine(a_customer("bolt"), "bolt-1")

    answer = client.get("/api/v1/machines/").json()

    assert [machine["code"] for machine in answer["results"]] == ["web-1"]
    assert answer["results"][0]["last_seen_at"] == "2026-11-24T14:32:08Z"
    assert answer["results"][0]["customer"] == "acme"


def test_one_machine_is_found_and_a_foreign_one_is_not(acme: Customer, client: Client) -> None:
    a_machine(acme, "web-1")
    a_machine(a_customer("bolt"), "bolt-1")

    mine, foreign = client.get("/api/v1/machines/web-1/"), client.get("/api/v1/machines/bolt-1/")

    assert (mine.status_code, mine.json()["code"], mine.json()["last_seen_at"]) == (200, "web-1", None)
    assert (foreign.status_code, foreign["Content-Type"]) == (404, "application/problem+json")


def test_the_watermark_is_the_end_of_the_first_run_from_zero(acme: Customer, client: Client) -> None:
    machine, gappy = a_machine(acme, "web-1"), a_machine(acme, "web-2")
    StreamRun.objects.create(machine=machine, stream=STREAM, lo=0, hi=17)
    StreamRun.objects.create(machine=machine, stream=STREAM, lo=20, hi=30)
    StreamRun.objects.create(machine=gappy, stream=STREAM, lo=5, hi=9)

    stored = client.get(f"/api/v1/machines/web-1/watermark?stream={STREAM}").json()
    missing_first = client.get(f"/api/v1/machines/web-2/watermark?stream={STREAM}").json()

    assert stored == {"machine": "web-1", "stream": str(STREAM), "watermark": 17}
    assert missing_first["watermark"] == 0


def test_a_watermark_needs_a_stream(acme: Customer, client: Client) -> None:
    a_machine(acme, "web-1")

    answer = client.get("/api/v1/machines/web-1/watermark?stream=17")

    assert answer.status_code == 400
    assert answer.json()["errors"] == {"stream": ["Must be a valid UUID."]}


def test_usage_by_the_quarter_shows_exact_quantities_and_holes(acme: Customer, client: Client) -> None:
    machine = a_machine(acme)
    a_bucket(machine, at("2026-11-24T14:15Z"), cpu_ms=900_000, memory_mib_ms=1, net_rx=7, net_tx=5)

    answer = client.get("/api/v1/usage/?granularity=quarter&at__gte=2026-11-24T14:00:00Z&at__lt=2026-11-24T14:30:00Z").json()

    hole, row = answer["results"]
    assert (hole["start"], hole["end"], hole["covered_ms"]) == ("2026-11-24T14:00:00Z", "2026-11-24T14:15:00Z", 0)
    assert (row["machine"], row["start"], row["covered_ms"], row["samples"]) == ("web-1", "2026-11-24T14:15:00Z", 900_000, 90)
    assert row["quantities"]["cpu"] == {"quantity": "0.25", "unit": "core-hour", "base": 900_000, "base_unit": "core-ms"}
    assert row["quantities"]["memory"]["quantity"] == "0.000000000271"
    assert row["quantities"]["network"]["base"] == 12
    assert answer["next"] is None


def test_a_day_is_the_customers_day_and_has_25_hours_when_clocks_go_back(acme: Customer, client: Client) -> None:
    machine = a_machine(acme)
    for quarter in range(at("2026-10-24T22:00Z"), at("2026-10-25T23:00Z"), BUCKET_MS):
        a_bucket(machine, quarter)
    a_bucket(machine, at("2026-10-25T23:00Z"))

    url = "/api/v1/usage/?granularity=day&meter=cpu&at__gte=2026-10-24T22:00:00Z&at__lt=2026-10-26T23:00:00Z"
    first, second = client.get(url).json()["results"]

    assert (first["start"], first["end"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    assert first["quantities"] == {"cpu": {"quantity": "25", "unit": "core-hour", "base": 90_000_000, "base_unit": "core-ms"}}
    assert second["quantities"]["cpu"]["quantity"] == "0.25"


def test_usage_without_a_range_is_the_current_month_so_far(acme: Customer, client: Client) -> None:
    a_bucket(a_machine(acme), to_ms(datetime.now(UTC)) // BUCKET_MS * BUCKET_MS)

    (row,) = client.get("/api/v1/usage/?granularity=month").json()["results"]

    assert row["quantities"]["cpu"]["base"] == 900_000


def test_pages_of_usage_join_without_overlap_and_lead_back(acme: Customer, client: Client) -> None:
    for code in ("web-1", "web-2", "web-3"):
        a_bucket(a_machine(acme, code), at("2026-11-24T14:00Z"))
    url = "/api/v1/usage/?granularity=hour&limit=4&at__gte=2026-11-24T13:00:00Z&at__lt=2026-11-24T16:00:00Z"

    first = client.get(url).json()
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    names = [(row["start"][11:13], row["machine"]) for page in (first, second, third) for row in page["results"]]
    assert names == [(hour, code) for hour in ("13", "14", "15") for code in ("web-1", "web-2", "web-3")]
    assert (first["previous"], third["next"]) == (None, None)
    assert client.get(third["previous"]).json()["results"] == second["results"]


def test_a_page_of_months_is_short_and_goes_on(acme: Customer, client: Client) -> None:
    for number in range(60):
        a_machine(acme, f"web-{number:02}")
    url = "/api/v1/usage/?granularity=month&limit=500&at__gte=2026-09-30T22:00:00Z&at__lt=2026-11-30T23:00:00Z"

    first = client.get(url).json()
    second = client.get(first["next"]).json()

    assert (len(first["results"]), len(second["results"]), second["next"]) == (100, 20, None)


def test_a_machine_added_between_two_pages_shifts_nothing(acme: Customer, client: Client) -> None:
    a_machine(acme, "web-2")
    url = "/api/v1/usage/?granularity=hour&limit=1&at__gte=2026-11-24T13:00:00Z&at__lt=2026-11-24T15:00:00Z"
    following = client.get(url).json()["next"]
    a_machine(acme, "web-1")

    after = client.get(following).json()

    assert [(row["start"], row["machine"]) for row in after["results"]] == [("2026-11-24T14:00:00Z", "web-2")]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("granularity=week", "granularity"),
        ("meter=petrol", "meter"),
        ("machine=", "machine"),
        ("machine=web%00", "machine"),
        ("limit=501", "limit"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("cursor=forged", "cursor"),
        ("cursor=%F0%9F%98%80", "cursor"),
        ("at__gt=2026-11-24T14:00:00Z", "at__gt"),
        ("meter=cpu&meter=memory", "meter"),
        ("at__gte=yesterday", "at__gte"),
        ("at__gte=2026-11-24T14:00:00", "at__gte"),
        ("at__gte=2026-11-24T14:00:00+01:00", "at__gte"),
        ("at__gte=2026-11-24T14:07:00Z", "at__gte"),
        ("at__gte=0001-01-01T00:00:00Z", "at__gte"),
        ("at__lt=9999-12-31T23:45:00Z", "at__lt"),
        ("at__gte=2026-11-24T14:00:00Z&at__lt=2026-11-24T14:00:00Z", "at__lt"),
        ("granularity=quarter&at__gte=2025-11-24T14:00:00Z&at__lt=2026-11-24T14:00:00Z", "at__gte"),
    ],
)
def test_a_bad_filter_is_refused_by_name(acme: Customer, client: Client, query: str, field: str) -> None:
    answer = client.get(f"/api/v1/usage/?{query}")

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("position", ["p=words", "p=%00", "r=x", "p="])
def test_a_forged_cursor_is_refused_and_breaks_nothing(acme: Customer, client: Client, position: str) -> None:
    a_sample(a_machine(acme), 0, "2026-11-24T14:00:00Z")
    cursor = base64.b64encode(position.encode()).decode()

    answer = client.get("/api/v1/samples/", {"machine": "web-1", "cursor": cursor})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["cursor"]


def test_samples_come_newest_first_and_page_by_page(acme: Customer, client: Client) -> None:
    machine = a_machine(acme)
    for seq in range(3):
        a_sample(machine, seq, f"2026-11-24T14:00:{10 * (seq + 1)}Z", cpu_ms=5_000, cpu_upct=6_250_000)

    page = client.get("/api/v1/samples/?machine=web-1&limit=2").json()
    rest = client.get(page["next"]).json()

    assert [row["seq"] for row in page["results"] + rest["results"]] == [2, 1, 0]
    assert page["results"][0]["end"] == "2026-11-24T14:00:30Z"
    assert (page["results"][0]["cpu_ms"], page["results"][0]["cpu_percent"]) == (5_000, "6.25")


def test_samples_of_a_half_open_span(acme: Customer, client: Client) -> None:
    machine = a_machine(acme)
    for seq in range(3):
        a_sample(machine, seq, f"2026-11-24T14:00:{10 * (seq + 1)}Z")

    url = "/api/v1/samples/?machine=web-1&at__gte=2026-11-24T14:00:10Z&at__lt=2026-11-24T14:00:30Z"

    assert [row["seq"] for row in client.get(url).json()["results"]] == [1, 0]


def test_samples_and_usage_of_a_foreign_machine_are_not_found(acme: Customer, client: Client) -> None:
    a_sample(a_machine(a_customer("bolt"), "bolt-1"), 0, "2026-11-24T14:00:00Z")

    assert client.get("/api/v1/samples/?machine=bolt-1").status_code == 404
    assert client.get("/api/v1/usage/?machine=bolt-1").status_code == 404
    assert client.get(f"/api/v1/machines/bolt-1/watermark?stream={STREAM}").status_code == 404


def test_someone_with_two_customers_names_one(acme: Customer) -> None:
    bolt = a_customer("bolt")
    a_machine(bolt, "bolt-1")
    client = signed_in(a_member(acme, bolt))

    unnamed, named = client.get("/api/v1/machines/"), client.get("/api/v1/machines/?customer=bolt")

    assert unnamed.status_code == 400
    assert unnamed.json()["errors"] == {"customer": ["You act for several customers. Name one of them: acme, bolt."]}
    assert [machine["code"] for machine in named.json()["results"]] == ["bolt-1"]


def test_a_machine_under_the_wrong_customer_is_not_found(acme: Customer) -> None:
    bolt = a_customer("bolt")
    a_machine(bolt, "bolt-1")
    client = signed_in(a_member(acme, bolt))

    assert client.get("/api/v1/usage/?machine=bolt-1&customer=acme").status_code == 404
    assert client.get("/api/v1/usage/?machine=bolt-1&customer=bolt").status_code == 200


@pytest.mark.parametrize(
    ("url", "queries"),
    [
        ("/api/v1/machines/", 2),
        ("/api/v1/machines/web-1/", 1),
        (f"/api/v1/machines/web-1/watermark?stream={STREAM}", 3),
        ("/api/v1/machines/web-1/completeness/", 6),
        ("/api/v1/usage/?granularity=month", 3),
        ("/api/v1/usage/?granularity=hour&limit=500", 3),
        ("/api/v1/usage/?machine=web-1", 2),
        ("/api/v1/samples/?machine=web-1", 2),
    ],
)
@pytest.mark.parametrize("machines", [1, 30])
def test_queries_do_not_grow_with_the_fleet(
    acme: Customer,
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    url: str,
    queries: int,
    machines: int,
) -> None:
    for number in range(machines):
        a_bucket(a_machine(acme, f"web-{number + 1}"), at("2026-11-24T14:00Z"))

    with django_assert_num_queries(KEY_QUERIES + queries):
        assert client.get(url).status_code == 200
