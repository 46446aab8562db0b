"""Windows and series as an operator writes them, a line each, and the editor that reads them."""

import pytest

from invoices import plan_file, publishing
from invoices.models import Price
from invoices.plan_fields import PlanFileError
from invoices.plan_lines import read_series, read_windows, write_series, write_windows
from tests.cast import an_operator, signed_in
from tests.invoices.rows import LONG_AGO

WORKING = {"days": [1, 2, 3, 4, 5], "from": "08:00", "to": "20:00", "unit_price": "0.055", "name": "working hours"}


def test_windows_are_read_and_written_back_as_short_as_they_can_be_said() -> None:
    text = "Mo-Fr 08:00-20:00 0.055 working hours\nSa Su 00:00-24:00 0.02\nevery day 23:00-06:00 0.018 night"

    rows = read_windows(text)

    assert rows[0] == WORKING
    assert rows[1] == {"days": [6, 7], "from": "00:00", "to": "24:00", "unit_price": "0.02"}
    assert rows[2]["days"] == [1, 2, 3, 4, 5, 6, 7]
    assert write_windows(rows) == text


@pytest.mark.parametrize(
    ("words", "days"), [("Fr-Mo", [1, 5, 6, 7]), ("Monday, wed-fri", [1, 3, 4, 5]), ("daily", [*range(1, 8)])]
)
def test_days_may_be_written_as_people_do(words: str, days: list[int]) -> None:
    assert read_windows(f"{words} 08:00 to 20:00 1")[0]["days"] == days


def test_a_series_is_pasted_from_a_spreadsheet() -> None:
    pasted = "From\tPrice\n2026-10-01\t0.0171\n2026-10-05 06:40;0.0164\n2026-10-12T17:20:00+02:00, 0.0187\n"

    assert read_series(pasted) == [
        ["2026-10-01T00:00Z", "0.0171"],
        ["2026-10-05T06:40Z", "0.0164"],
        ["2026-10-12T17:20:00+02:00", "0.0187"],
    ]
    assert write_series([["2026-10-05T06:40:00Z", "0.0164"]]) == "2026-10-05 06:40 0.0164"


@pytest.mark.parametrize("text", ["Mo-Fr 0.055", "Xx 08:00-20:00 1", "Mo 08:00-20:00"])
def test_a_line_that_is_no_window_is_named(text: str) -> None:
    with pytest.raises(PlanFileError, match="line 2"):
        read_windows(f"Mo 06:00-07:00 1\n{text}")


def test_a_line_that_is_no_price_is_named() -> None:
    with pytest.raises(PlanFileError, match="line 1: '1.10.2026 0.5' is no price such as"):
        read_series("1.10.2026 0.5")


def a_draft_price(**keys: object) -> Price:
    prices = plan_file.check_prices([{"name": "CPU", "meter": "cpu", "unit": "core-hour", "unit_price": "0.03", **keys}])
    draft, _ = publishing.save_draft(plan_file.PlanDocument("plan", "Plan", "EUR", LONG_AGO, prices))
    return draft.prices.get()


def sent(price: Price, **changes: str) -> dict[str, str]:
    """What the editor's form sends for this price."""
    return {
        "position": "0", "name": "CPU", "model": price.model, "meter": "cpu", "unit": "core-hour", "price_nano": "0.03",
        "package_micro": "1", "included_micro": "0", "proration": "day", "details": "{}",
        "tiers-TOTAL_FORMS": "0", "tiers-INITIAL_FORMS": "0",
    } | changes  # fmt: skip


@pytest.mark.django_db
def test_windows_are_edited_as_lines_and_what_overlaps_is_refused() -> None:
    price = a_draft_price(model="time_of_use", windows=[WORKING])
    desk = signed_in(an_operator())
    address = f"/admin/invoices/price/{price.pk}/change/"

    shown = desk.get(address).content.decode()
    refused = desk.post(address, sent(price, windows="Mo-Fr 08:00-20:00 0.055\nFr 19:00-21:00 0.06"))
    saved = desk.post(address, sent(price, windows="Mo-Fr 07:00-19:00 0.06 working hours"))

    price.refresh_from_db()
    assert "Mo-Fr 08:00-20:00 0.055 working hours" in shown
    assert refused.status_code == 200
    assert "overlaps windows[0]: one minute has one price." in refused.content.decode()
    assert saved.status_code == 302
    assert price.details["windows"] == [WORKING | {"from": "07:00", "to": "19:00", "unit_price": "0.06"}]


@pytest.mark.django_db
def test_a_series_is_edited_as_lines_and_belongs_to_its_model_alone() -> None:
    price = a_draft_price(model="spot_series", series=[["2026-10-01T00:00:00Z", "0.0171"]])
    desk = signed_in(an_operator())
    address = f"/admin/invoices/price/{price.pk}/change/"

    shown = desk.get(address).content.decode()
    saved = desk.post(address, sent(price, series="2026-10-01 00:00 0.0171\n2026-10-05 06:40 0.0164"))
    price.refresh_from_db()
    refused = desk.post(address, sent(price, model="per_unit", series="2026-10-01 00:00 0.0171"))

    assert "2026-10-01 00:00 0.0171" in shown
    assert saved.status_code == 302
    assert price.details["series"] == [["2026-10-01T00:00Z", "0.0171"], ["2026-10-05T06:40Z", "0.0164"]]
    assert "Only a price of the model spot_series has these." in refused.content.decode()
