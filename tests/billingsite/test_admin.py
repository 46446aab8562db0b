"""The admin's start page and side bar, and that every list opens in a fixed number of queries."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from invoices.billing import draft, finalise
from invoices.models import RatePlan
from invoices.plan_file import read
from invoices.publishing import publish, save_draft, subscribe
from tests.access_world import PLAN
from tests.cast import a_bucket, a_customer, a_machine, a_member, an_operator, signed_in
from usage.models import IngestIncident, IngestOffset, Reason, RejectedMessage, UsageSample, WorkerBeat
from usage.periods import BUCKET_MS, bucket_start, month, to_ms

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def desk() -> Client:
    return signed_in(an_operator())


def figures(client: Client) -> dict[str, dict[str, Any]]:
    return {figure["key"]: figure for figure in client.get("/admin/fleet.json").json()["figures"]}


def an_offset(partition: int = 0, messages: int = 100, **fields: Any) -> IngestOffset:
    place = {"topic": "resource_usage", "partition": partition, "cluster_id": "c", "topic_id": "t"}
    return IngestOffset.objects.create(**place, first_offset=5, next_offset=5 + messages, stored=messages, **fields)


def a_refusal(offset: int, **fields: Any) -> RejectedMessage:
    place = {"topic": "resource_usage", "topic_id": "t", "partition": 0, "offset": offset, "timestamp_ms": 0}
    return RejectedMessage.objects.create(**place, key=b"", value=b"", reason=Reason.NOT_JSON, **fields)


def test_an_empty_installation_raises_no_alarm(desk: Client) -> None:
    shown = figures(desk)

    assert {key: figure["value"] for key, figure in shown.items()} == {
        "rate": "–", "lag": "–", "newest": "–", "samples": "0", "rejected": "0", "incidents": "0", "silent": "0", "revenue": "0",
        "waiting": "0",
    }  # fmt: skip
    assert not any(figure["alarm"] for figure in shown.values())
    assert shown["rate"]["note"] == "Nothing consumed yet"


def test_samples_of_today_are_counted_and_yesterdays_are_not(desk: Client) -> None:
    machine = a_machine(a_customer())
    today = bucket_start(to_ms(now()))
    a_bucket(machine, today, samples=1_234)
    a_bucket(machine, today - 2 * 86_400_000, samples=5)

    assert figures(desk)["samples"]["value"] == "1,234"


def test_open_rejections_ask_for_a_look_and_settled_ones_do_not(desk: Client) -> None:
    a_refusal(0, state=RejectedMessage.State.DISCARDED)
    before = figures(desk)["rejected"]
    a_refusal(1, rejected_at=now() - timedelta(days=3))

    after = figures(desk)["rejected"]

    assert (before["value"], before["alarm"]) == ("0", False)
    assert (after["value"], after["alarm"], after["note"]) == ("1", True, "1 came today; 1 not json")


def test_the_lag_is_the_workers_last_word_and_their_silence_is_an_alarm(desk: Client) -> None:
    beat = {"started_at": now() - timedelta(hours=1), "lag": {"0": 1_200, "1": 34}}
    WorkerBeat.objects.create(name="usage-1", beat_at=now(), **beat)
    fresh = figures(desk)["lag"]
    WorkerBeat.objects.update(beat_at=now() - timedelta(minutes=5))

    stale = figures(desk)["lag"]

    assert (fresh["value"], fresh["note"], fresh["alarm"]) == ("1,234", "1 worker", False)
    assert (stale["note"], stale["alarm"]) == ("no sign of a worker since 5 min ago", True)


def test_incidents_ask_for_a_look_until_they_are_acknowledged(desk: Client) -> None:
    incident = IngestIncident.objects.create(kind="overlap", machine_code="web-1", detail="x")
    before = figures(desk)["incidents"]
    IngestIncident.objects.filter(pk=incident.pk).update(acknowledged_at=now())

    assert (before["value"], before["note"], before["alarm"]) == ("1", "1 two streams metered the same time", True)
    assert (figures(desk)["incidents"]["value"], figures(desk)["incidents"]["alarm"]) == ("0", False)


def test_machines_are_silent_after_a_quarter_of_an_hour(desk: Client) -> None:
    acme, at = a_customer(), to_ms(now())
    a_machine(acme, "fresh", last_seen_ms=at - 60_000)
    a_machine(acme, "never")
    a_machine(acme, "retired", last_seen_ms=at - 7_200_000, retired_at=now() - timedelta(hours=1))
    a_machine(acme, "silent", last_seen_ms=at - 16 * 60_000)

    silent = figures(desk)["silent"]

    assert (silent["value"], silent["note"], silent["alarm"]) == ("1", "of 2", True)


def test_a_standing_worker_is_an_alarm_only_where_machines_report(desk: Client) -> None:
    an_offset(updated_at=now() - timedelta(minutes=10))
    before = figures(desk)["rate"]
    a_machine(a_customer(), last_seen_ms=to_ms(now()))

    after = figures(desk)["rate"]

    assert (before["alarm"], after["alarm"], after["note"]) == (False, True, "last batch 10 min ago")


def test_revenue_is_by_currency_and_drafts_wait(desk: Client) -> None:
    for code, currency in (("acme", "EUR"), ("bolt", "USD")):
        publish(save_draft(read(PLAN.replace('"cloud"', f'"{code}"').replace("EUR", currency)))[0])
        customer = a_customer(code, currency=currency)
        subscribe(customer, RatePlan.objects.get(code=code), datetime(2025, 1, 1, tzinfo=UTC))
        made = draft(customer, month(2025, 10, BERLIN))
        assert made is not None
        finalise(made)
        draft(customer, month(2025, 11, BERLIN))

    shown = figures(desk)

    assert shown["revenue"]["value"] == "€9.00\nUS$9.00"
    assert (shown["waiting"]["value"], shown["waiting"]["alarm"]) == ("2", True)


def test_staff_who_may_not_see_invoices_see_no_revenue() -> None:
    clerk = a_member(email="clerk@corehour.example", is_staff=True)
    before = set(figures(signed_in(clerk)))
    clerk.user_permissions.add(Permission.objects.get(codename="view_invoice"))

    assert before == {"rate", "lag", "newest", "samples", "rejected", "incidents", "silent"}
    assert set(figures(signed_in(clerk))) == before | {"revenue", "waiting"}


def test_the_page_counts_messages_and_gets_the_points_it_lacks(desk: Client) -> None:
    an_offset(0, 100)
    an_offset(1, 20)
    machine, at = a_machine(a_customer(), "web-1"), to_ms(now())
    for seq, ago_ms in enumerate((40_000, 10_000)):
        interval = {"start_ms": at - ago_ms - 10_000, "end_ms": at - ago_ms}
        stream = "0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f"
        UsageSample.objects.create(machine=machine, stream=stream, seq=seq, cpu_ms=25_000, **interval)

    everything, rest = desk.get("/admin/fleet.json").json(), desk.get(f"/admin/fleet.json?since={at - 30_000}").json()

    assert everything["messages"] == 120
    assert [point["cores"] for point in everything["points"]] == [2.5, 2.5]
    assert [point["machine"] for point in rest["points"]] == ["web-1"]
    assert desk.get("/admin/fleet.json?since=yesterday").status_code == 200


def test_the_start_page_shows_the_figures_without_javascript(desk: Client) -> None:
    a_refusal(0)

    page = desk.get("/admin/").content.decode()

    assert 'data-figure="rejected"' in page
    assert "<strong>1</strong>" in page
    assert "usage-chart" in page


def test_the_side_bar_shows_what_one_may_open(desk: Client) -> None:
    clerk = a_member(email="clerk@corehour.example", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_machine"))

    everything, little = desk.get("/admin/").content.decode(), signed_in(clerk).get("/admin/").content.decode()

    assert "/admin/usage/rejectedmessage/" in everything
    assert "/admin/usage/machine/" in little
    assert "/admin/usage/rejectedmessage/" not in little.replace("/admin/usage/rejectedmessage/?state__exact=open", "")


@pytest.mark.parametrize("model", [model._meta.label_lower.replace(".", "/") for model in admin.site._registry])
def test_every_list_opens_in_a_fixed_number_of_queries(desk: Client, model: str) -> None:
    def fill(first: int) -> int:
        for number in range(first, first + 5):
            machine = a_machine(a_customer(f"c{number}"), f"m{number}", last_seen_ms=1)
            a_bucket(machine, number * BUCKET_MS)
            machine.runs.create(stream="0192f1e4-6d3c-7b7e-9a53-0f5c1c2d3e4f", lo=0, hi=1)
            a_member(machine.customer, email=f"{number}@acme.example")
            machine.customer.api_keys.create(name="key", prefix="ch_", digest=str(number))
            a_refusal(number)
            an_offset(number)
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(f"/admin/{model}/").status_code == 200
        return len(queries)

    few, more = fill(0), fill(5)

    assert more == few
