"""Days that are over are read as one row each, and are never anything but the sum of their quarter hours."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries

from accounts.models import Customer
from tests.cast import a_bucket, a_customer, a_machine
from tests.usage.build import LIMITS, NOW_MS, TOPIC_ID, body, offset_row, raw, sample
from usage import days
from usage.audit import checks
from usage.ingest import store
from usage.models import DayMark, Machine, UsageBucket, UsageDay
from usage.offsets import Position
from usage.parts import parts
from usage.periods import BUCKET_MS, Period, from_ms, to_ms
from usage.rebuild import rebuild

pytestmark = pytest.mark.django_db(transaction=True)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = from_ms(NOW_MS)  # 30 November 2026, 16:30 in Berlin
OCTOBER = Period(datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC))


def berlin(code: str = "web-1") -> Machine:
    acme = Customer.objects.filter(code="acme").first() or a_customer("acme", timezone="Europe/Berlin")
    return a_machine(acme, code)


def local(*parts: int) -> int:
    return to_ms(datetime(*parts, tzinfo=BERLIN))  # type: ignore[misc,arg-type]  # Year, month, day and so on.


def read(machines: list[Machine], period: Period, zone: ZoneInfo = BERLIN) -> int:
    source = parts([machine.pk for machine in machines], period, zone)
    return sum(int(part.aggregate(total=Sum("cpu_ms"))["total"] or 0) for part in source)


def summed() -> dict[int, tuple[int, int, bool]]:
    return {day.start_ms: (day.end_ms, day.cpu_ms, day.stale) for day in UsageDay.objects.all()}


def differing() -> list[str]:
    return [difference for check in checks() if check.name == "days" for difference in check.differences]


def test_a_local_day_is_the_sum_of_its_quarter_hours_also_when_clocks_change() -> None:
    web = berlin()
    for start in range(local(2026, 10, 24), local(2026, 10, 27), BUCKET_MS):
        a_bucket(web, start, cpu_ms=1)

    days.catch_up(NOW)

    assert summed() == {
        local(2026, 10, 24): (local(2026, 10, 25), 96, False),
        local(2026, 10, 25): (local(2026, 10, 26), 100, False),
        local(2026, 10, 26): (local(2026, 10, 27), 96, False),
    }
    assert DayMark.objects.get(machine=web).until_ms == local(2026, 11, 30)
    assert read([web], OCTOBER) == 292


def test_a_long_range_reads_days_and_the_ends_by_the_quarter_hour(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    web, new = berlin(), berlin("new-1")
    for start in (local(2026, 10, 1, 12), local(2026, 10, 2, 3), local(2026, 10, 2, 4), local(2026, 10, 31, 23)):
        a_bucket(web, start, cpu_ms=10)
    days.catch_up(NOW)
    DayMark.objects.filter(machine=new).delete()  # As one that was made since.
    a_bucket(new, local(2026, 10, 5), cpu_ms=1)
    from_noon = Period(from_ms(local(2026, 10, 1, 12)), from_ms(local(2026, 10, 31, 23, 30)))

    with django_assert_num_queries(2):
        source = parts([web.pk, new.pk], from_noon, BERLIN)

    assert [(part.model, part.count()) for part in source] == [
        (UsageDay, 1),  # 2 October; the 31st is not whole
        (UsageBucket, 1),
        (UsageBucket, 1),
        (UsageBucket, 1),
    ]
    assert read([web, new], from_noon) == 41


def test_usage_that_comes_late_is_in_the_sum_at_once_and_its_day_is_summed_anew() -> None:
    web = berlin()
    offset_row()
    day = local(2026, 11, 27)
    a_bucket(web, day + BUCKET_MS, cpu_ms=5)
    days.catch_up(NOW)
    late = sample(0, start=day, end=day + 10_000, cpu_ms=70)
    week = Period(from_ms(local(2026, 11, 23)), from_ms(local(2026, 11, 30)))

    store(Position("resource_usage", TOPIC_ID, 0, 0), [raw(body(late), offset=0)], LIMITS)

    assert summed() == {day: (day + 86_400_000, 5, True)}
    assert read([web], week) == 75
    assert differing() == []
    days.catch_up(NOW)
    assert summed() == {day: (day + 86_400_000, 75, False)}
    assert read([web], week) == 75


def test_late_usage_of_a_day_that_had_none_is_not_overlooked() -> None:
    web = berlin()
    offset_row()
    a_bucket(web, local(2026, 11, 20), cpu_ms=5)
    days.catch_up(NOW)
    start = local(2026, 11, 15, 12)
    old = sample(0, start=start, end=start + 10_000, cpu_ms=70)

    store(Position("resource_usage", TOPIC_ID, 0, 0), [raw(body(old), offset=0)], LIMITS)

    assert read([web], Period(from_ms(local(2026, 11, 1)), NOW)) == 75
    days.catch_up(NOW)
    assert [day.cpu_ms for day in UsageDay.objects.order_by("start_ms")] == [70, 5]


def test_usage_of_today_touches_no_day() -> None:
    web = berlin()
    offset_row()
    a_bucket(web, local(2026, 11, 20))
    days.catch_up(NOW)

    store(Position("resource_usage", TOPIC_ID, 0, 0), [raw(body(sample(0)), offset=0)], LIMITS)

    assert not UsageDay.objects.filter(stale=True).exists()


def test_the_audit_names_a_wrong_day_and_a_missing_one_and_rebuilding_mends_both() -> None:
    web = berlin()
    for day in (20, 21, 22):
        a_bucket(web, local(2026, 11, day), cpu_ms=day)
    days.catch_up(NOW)
    UsageDay.objects.filter(start_ms=local(2026, 11, 20)).update(cpu_ms=1)
    UsageDay.objects.filter(start_ms=local(2026, 11, 21)).delete()

    named = differing()
    mended = days.mend(web.pk)

    assert [words.split(": ")[1].split(" ")[0] for words in named] == ["holds", "missing"]
    assert mended == 2
    assert differing() == []
    assert [day.cpu_ms for day in UsageDay.objects.order_by("start_ms")] == [20, 21, 22]


def test_a_quarter_hour_that_is_mended_makes_its_day_stale() -> None:
    web = berlin()
    a_bucket(web, local(2026, 11, 20), cpu_ms=9)  # No sample gave it.
    days.catch_up(NOW)

    rebuild(web)
    stale = [day.stale for day in UsageDay.objects.all()]
    days.catch_up(NOW)

    assert stale == [True]
    assert not UsageDay.objects.exists()


def test_a_customer_who_moves_to_another_zone_has_other_days() -> None:
    web = berlin()
    a_bucket(web, local(2026, 11, 20), cpu_ms=9)  # 23:00 UTC on the 19th
    days.catch_up(NOW)
    web.customer.timezone = "UTC"
    web.customer.save()
    november = Period(datetime(2026, 11, 1, tzinfo=UTC), NOW)

    before = read([web], november, ZoneInfo("UTC"))
    days.catch_up(NOW)

    assert before == 9
    assert [day.start_ms for day in UsageDay.objects.all()] == [to_ms(datetime(2026, 11, 19, tzinfo=UTC))]
    assert read([web], november, ZoneInfo("UTC")) == 9
    assert differing() == []


def test_whatever_comes_in_whatever_order_the_parts_hold_every_quarter_hour_once() -> None:
    chance = random.Random(20261124)  # noqa: S311  The same walk every time.
    fleet = [berlin(f"m-{number}") for number in range(3)]
    start = local(2026, 10, 20)
    at = from_ms(start)
    for _ in range(40):
        at += timedelta(hours=chance.randrange(1, 40))
        for machine in fleet:
            back = chance.choice((0, 0, 1, 30, 400))
            bucket = to_ms(at) // BUCKET_MS * BUCKET_MS - back * BUCKET_MS
            UsageBucket.objects.get_or_create(machine=machine, start_ms=bucket, defaults={"cpu_ms": chance.randrange(100)})
            days.note_changed([(machine.pk, bucket)], "default")
        if chance.random() < 0.5:
            days.catch_up(at)
        first = start + chance.randrange(20) * BUCKET_MS
        period = Period(from_ms(first), from_ms(max(first + BUCKET_MS, to_ms(at) - chance.randrange(20) * BUCKET_MS)))
        whole = UsageBucket.objects.filter(start_ms__gte=period.start_ms, start_ms__lt=period.end_ms)

        assert read(fleet, period) == (whole.aggregate(total=Sum("cpu_ms"))["total"] or 0)
    assert differing() == []
