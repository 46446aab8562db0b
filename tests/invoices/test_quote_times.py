"""What depends on when usage was: windows, series, demand, levels, peaks, reserved cores. Amounts from price lists or by hand."""

import pytest

from tests.invoices.test_quote import quoted

WINDOWS = [{"name": "peak", "days": [1, 2, 3, 4, 5], "from": "08:00", "to": "20:00", "unit_price": "0.10"}]
TIME_OF_USE = {"meter": "cpu", "model": "time_of_use", "unit_price": "0.02", "windows": WINDOWS}


def test_a_window_is_half_open_and_a_line_of_its_own() -> None:
    """Monday 5 October 2026 in Berlin: 07:59 is outside, 08:00 is inside, 20:00 is outside."""
    events = [["2026-10-05T07:59:00+02:00", "1"], ["2026-10-05T08:00:00+02:00", "10"], ["2026-10-05T20:00:00+02:00", "100"]]

    lines = quoted(TIME_OF_USE, usage={"cpu": events}, timezone="Europe/Berlin")["lines"]

    assert [(line["window"], line["quantity"], line["amount"]) for line in lines] == [
        ("peak", "10", "1.00"),
        ("other times", "101", "2.02"),
    ]


def test_a_level_through_a_window_is_cut_at_its_edges() -> None:
    """One core from 07:30 to 08:30 local: half an hour on each side."""
    levels = [["2026-10-05T07:30:00+02:00/2026-10-05T08:30:00+02:00", "1"]]

    lines = quoted(TIME_OF_USE, usage={"cpu": levels}, timezone="Europe/Berlin")["lines"]

    assert [line["quantity"] for line in lines] == ["0.5", "0.5"]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", "23"), ("2026-10-25", "25"), ("2026-10-24", "24")])
def test_a_level_is_billed_by_elapsed_hours(day: str, hours: str) -> None:
    """Berlin's shortest and longest day of 2026."""
    following = {"2026-03-29": "2026-03-30", "2026-10-25": "2026-10-26", "2026-10-24": "2026-10-25"}[day]
    period = {"start": day, "end": following}
    level = [["2026-01-01T00:00:00Z/2026-12-31T00:00:00Z", "1"]]

    line = quoted(
        {"meter": "cpu", "model": "per_unit", "unit_price": "1"}, usage={"cpu": level}, timezone="Europe/Berlin", period=period
    )["lines"][0]

    assert (line["quantity"], line["amount"]) == (hours, f"{hours}.00")


@pytest.mark.parametrize(("day", "night"), [("2026-03-29", "4"), ("2026-10-25", "6"), ("2026-10-24", "5")])
def test_a_window_at_night_has_the_hours_that_the_clock_had(day: str, night: str) -> None:
    """01:00 to 06:00 in Berlin, where 02:00 to 03:00 is missing in March and there twice in October."""
    following = {"2026-03-29": "2026-03-30", "2026-10-25": "2026-10-26", "2026-10-24": "2026-10-25"}[day]
    price = {**TIME_OF_USE, "windows": [{"name": "night", "from": "01:00", "to": "06:00", "unit_price": "1"}]}

    lines = quoted(
        price,
        usage={"cpu": [["2026-01-01T00:00:00Z/2026-12-31T00:00:00Z", "1"]]},
        timezone="Europe/Berlin",
        period={"start": day, "end": following},
    )["lines"]

    assert (lines[0]["window"], lines[0]["quantity"]) == ("night", night)


def test_a_window_past_midnight_belongs_to_the_day_it_began() -> None:
    """Friday 22:00 to 06:00: Saturday 05:00 is in it, Friday 05:00 is not."""
    price = {**TIME_OF_USE, "windows": [{"name": "friday night", "days": [5], "from": "22:00", "to": "06:00", "unit_price": "1"}]}
    events = [
        ["2026-10-02T05:00:00Z", "1"],
        ["2026-10-02T23:00:00Z", "2"],
        ["2026-10-03T05:00:00Z", "4"],
        ["2026-10-03T06:00:00Z", "8"],
    ]

    assert [line["quantity"] for line in quoted(price, usage={"cpu": events})["lines"]] == ["6", "9"]


SPOT = [["2026-10-01T00:00:00Z", "0.0416"], ["2026-10-01T06:00:00Z", "0.0312"], ["2026-10-01T18:00:00Z", "0.0520"]]


def test_a_spot_price_holds_from_its_instant_until_the_next() -> None:
    """As an AWS spot price history reads: 6 h at 0.0416, 12 h at 0.0312, 6 h at 0.0520 are 0.2496 + 0.3744 + 0.3120."""
    price = {"meter": "cpu", "model": "spot_series", "series": SPOT}

    line = quoted(price, usage={"cpu": [["2026-10-01T00:00:00Z/2026-10-02T00:00:00Z", "1"]]})["lines"][0]

    assert (line["exact"], line["amount"]) == ("0.936", "0.94")


def test_usage_is_cut_at_a_change_in_the_middle_of_a_quarter_hour() -> None:
    """One core from 05:45 to 06:15: a quarter at 0.0416 and a quarter at 0.0312; an event at the change has the new price."""
    price = {"meter": "cpu", "model": "spot_series", "series": SPOT}

    held = quoted(price, usage={"cpu": [["2026-10-01T05:52:30Z/2026-10-01T06:07:30Z", "100"]]})["lines"][0]
    event = quoted(price, usage={"cpu": [["2026-10-01T06:00:00Z", "100"]]})["lines"][0]

    assert held["exact"] == "0.91"
    assert event["exact"] == "3.12"


def test_usage_before_a_series_begins_is_refused_or_has_its_own_price() -> None:
    price = {"meter": "cpu", "model": "spot_series", "series": SPOT[1:]}
    usage = {"cpu": [["2026-10-01T00:00:00Z", "10"]]}

    with pytest.raises(ValueError, match="no price before the first"):
        quoted(price, usage=usage)
    assert quoted({**price, "unit_price": "0.10"}, usage=usage)["total"] == "1.00"


def test_a_price_follows_demand_between_floor_and_cap() -> None:
    """Target 50 %: at 75 % times 1.5, at 10 % the floor of 0.5, at 100 % the cap of 1.8."""
    loads = [["2026-10-01T00:00:00Z", "0.75"], ["2026-10-01T01:00:00Z", "0.10"], ["2026-10-01T02:00:00Z", "1"]]
    price = {
        "meter": "cpu",
        "model": "per_unit",
        "unit_price": "1",
        "demand": {"target": "50%", "floor": "0.5", "cap": "1.8", "loads": loads},
    }

    quote = quoted(price, usage={"cpu": [["2026-10-01T00:00:00Z/2026-10-01T03:00:00Z", "10"]]})

    assert quote["total"] == "38.00"


def test_averages_peaks_and_the_95th_percentile() -> None:
    """October has 744 hours. 100 values of 1 to 100: the top five fall away, the next is 95, as transit providers bill it."""
    values = [[f"2026-10-01T{n // 60:02}:{n % 60:02}:00Z", str(n + 1)] for n in range(100)]
    level = [["2026-10-01T00:00:00Z/2026-10-16T12:00:00Z", "10"]]
    price = {"meter": "bandwidth", "model": "per_unit", "unit_price": "1"}

    assert quoted({**price, "aggregation": "p95"}, usage={"bandwidth": values})["total"] == "95.00"
    assert quoted({**price, "aggregation": "max"}, usage={"bandwidth": values})["total"] == "100.00"
    assert quoted({**price, "aggregation": "time_average"}, usage={"bandwidth": level})["total"] == "5.00"


@pytest.mark.parametrize(("count", "value"), [(19, "19.00"), (20, "19.00"), (39, "38.00"), (40, "38.00")])
def test_the_top_five_percent_are_rounded_down(count: int, value: str) -> None:
    values = [[f"2026-10-01T00:{n:02}:00Z", str(n + 1)] for n in range(count)]

    assert (
        quoted({"meter": "b", "model": "per_unit", "unit_price": "1", "aggregation": "p95"}, usage={"b": values})["total"]
        == value
    )


def test_a_peak_of_levels_adds_what_overlaps_and_buckets_average() -> None:
    levels = [["2026-10-01T00:00:00Z/2026-10-01T02:00:00Z", "3"], ["2026-10-01T01:55:00Z/2026-10-01T03:00:00Z", "4"]]
    price = {"meter": "cpu", "model": "per_unit", "unit_price": "1", "aggregation": "max"}

    assert quoted(price, usage={"cpu": levels})["total"] == "7.00"
    assert quoted({**price, "bucket": "15"}, usage={"cpu": levels})["total"] == "4.33"
    assert quoted({**price, "bucket": "5"}, usage={"cpu": levels})["total"] == "7.00"


def test_reserved_cores_are_paid_for_in_full_and_more_has_its_own_price() -> None:
    """4 cores for 744 hours at 0.03 are 89.28; 10 hours of 6 cores are 20 core-hours above, at 0.05."""
    price = {"meter": "cpu", "model": "reserved", "reserved": "4", "unit_price": "0.03", "overage_price": "0.05"}

    assert quoted(price)["total"] == "89.28"
    assert quoted(price, usage={"cpu": [["2026-10-01T00:00:00Z/2026-10-01T10:00:00Z", "6"]]})["total"] == "90.28"


def test_committed_bandwidth_with_bursts_by_the_95th_percentile() -> None:
    """As IP transit is sold: 100 Mbit/s at 0.50, bursts at 0.60. The 95th percentile is 130, so 50.00 + 18.00."""
    levels = [
        ["2026-10-01T00:00:00Z/2026-10-30T00:00:00Z", "80"],
        ["2026-10-30T00:00:00Z/2026-10-31T00:00:00Z", "900"],
        ["2026-10-31T00:00:00Z/2026-11-01T00:00:00Z", "130"],
    ]
    price = {
        "meter": "network_out",
        "unit": "Mbit/s",
        "model": "reserved",
        "aggregation": "p95",
        "reserved": "100",
        "unit_price": "0.50",
        "overage_price": "0.60",
    }

    assert quoted(price, usage={"network_out": levels})["total"] == "68.00"
