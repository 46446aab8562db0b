"""The chaos benchmark, small, and that its verdict names what is not as it was sent."""

import json
from typing import Any

import pytest

from benchmarks import verdict
from tests.benchmarks.command import ENGINE, run
from tests.usage.build import LIMITS, NOW_MS, TOPIC_ID, body, machine, offset_row, raw, sample
from usage.ingest import store
from usage.models import UsageBucket
from usage.offsets import Position

START = NOW_MS - 3_600_000
CLEAN = {"lost": 0, "not_sent": 0, "other_content": 0, "wrong_quarter_hours": 0, "samples": 2, "quarter_hours": 2}


@pytest.mark.kafka
@pytest.mark.slow
def test_kills_stops_and_crashes_lose_nothing_and_double_nothing() -> None:
    violence = ("--kills", "6", "--stops", "4", "--crashes", "2", "--rebalances", "3")
    done = run("chaos", "--engine", ENGINE, "--samples", "20000", *violence, "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    assert figures["found"]["samples"] == figures["sent"]["samples"] == 20_000
    assert (figures["done"]["kill"], figures["done"].get("crash", 0)) == (6, 2 if ENGINE == "postgres" else 0)
    assert figures["done"]["rebalances"] >= 3


@pytest.mark.django_db
class TestVerdict:
    @pytest.fixture
    def pk(self) -> int:
        """Two samples, the second across a quarter hour."""
        made = machine()
        offset_row()
        samples = (sample(0), sample(1, start=START + 895_000, end=START + 905_000, cpu_ms=10_001))
        store(Position("resource_usage", TOPIC_ID, 0, 0), [raw(body(*samples))], LIMITS)
        return made.pk

    @property
    def lines(self) -> list[str]:
        rest = "10240000 20480000 1000 2000 300 400"
        return [f"0 {START} {START + 10_000} 10000 {rest}", f"1 {START + 895_000} {START + 905_000} 10001 {rest}"]

    def test_what_is_as_it_was_sent_is_clean(self, pk: int) -> None:
        assert verdict._machine(pk, self.lines) == CLEAN

    def test_a_sample_that_is_not_there_is_lost(self, pk: int) -> None:
        more = [*self.lines, self.lines[0].replace("0 ", "2 ", 1)]

        assert verdict._machine(pk, more) == CLEAN | {"lost": 1, "wrong_quarter_hours": 1}

    def test_a_sample_that_nobody_sent_is_named(self, pk: int) -> None:
        assert verdict._machine(pk, self.lines[1:]) == CLEAN | {"not_sent": 1, "wrong_quarter_hours": 1}

    def test_other_content_is_named(self, pk: int) -> None:
        changed = [self.lines[0].replace(" 10240000 ", " 10240001 "), self.lines[1]]

        assert verdict._machine(pk, changed)["other_content"] == 1

    def test_what_went_to_the_wrong_quarter_hour_is_named(self, pk: int) -> None:
        first, second = UsageBucket.objects.order_by("start_ms")
        UsageBucket.objects.filter(pk=first.pk).update(net_rx=first.net_rx - 1)
        UsageBucket.objects.filter(pk=second.pk).update(net_rx=second.net_rx + 1)

        assert verdict._machine(pk, self.lines) == CLEAN | {"wrong_quarter_hours": 2}
