"""What given usage would cost: a document of prices and usage in, lines and totals out, by the invoice's own rater. Pure."""

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from invoices import plan_fields as fields
from invoices.explain import instant_text
from invoices.money import amount_text, exact_text, from_minor, to_minor
from invoices.parts import Contract, slices
from invoices.plan_fields import PlanFileError
from invoices.plan_file import check_prices, currency_of
from invoices.plan_price import KEYS_OF, Reading
from invoices.quote_terms import Terms, terms_of
from invoices.quote_usage import earlier_usage, machines_of
from invoices.rating import Line, Part, rate
from invoices.settlement import Settlement, settle
from invoices.terms import TierWindow, VersionTerms
from usage.periods import Period, day_start

READING = Reading(custom=None, price_places=12, quantity_places=12, quote=True)
LONGEST_PERIOD = timedelta(days=400)
COMMITMENT = -1  # Stands for no price, but for the least that all of them come to.
KEYS = {
    "plan", "draft", "prices", "currency", "timezone", "period", "usage", "machines", "prior_quantity", "already_billed",
    "commitment", "discounts", "taxes", "credits", "tax_rounding",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote as rated and settled."""

    currency: str
    timezone: str
    period: Period
    lines: tuple[Line, ...]
    terms: Terms
    settlement: Settlement
    ignored_records: int


def answer(document: Mapping[str, Any], versions: Sequence[VersionTerms] | None = None, zone_name: str = "UTC") -> Quote:
    """Return what a document comes to under its own prices, or under a plan's versions, earliest first.

    Raise PlanFileError naming the key that is wrong, NoPriceError where no version is in force.
    """
    fields.only(document, KEYS, "")
    zone = _zone(document, zone_name)
    period = _period(document.get("period"), zone)
    if versions is None:
        versions = [_inline(document, period)]
    currency = versions[0].currency
    if document.get("currency", currency) != currency:
        raise PlanFileError("currency", f"the plan is priced in {currency}.")
    prices = [price for version in versions for price in version.prices]
    usage, ignored = machines_of(document, prices, period, zone)
    prior = document.get("prior_quantity")
    before = earlier_usage(prior, prices, period, zone) if prior is not None else None
    earlier = {} if before is None else {TierWindow.YEAR: before, TierWindow.CONTRACT: before}
    pieces = slices([Contract(versions[0].plan_code, period.start, None, versions)], period)
    if len(pieces) > 1:
        raise PlanFileError("period", f"another version takes over on {instant_text(pieces[1].span.start)}: ask for each part.")
    terms = terms_of(document, currency)
    lines = rate([Part(piece.span, piece.version, usage, earlier) for piece in pieces], period, zone)
    lines += _commitment(lines, pieces[0].version, terms.commitment, period)
    if terms.already_billed is not None:
        lines = _corrections(lines, pieces[0].version, terms.already_billed, period)
    settled = settle(
        [line.amount_minor for line in lines],
        [discount.on([line.meter for line in lines]) for discount in terms.discounts],
        [tax.on([line.meter for line in lines]) for tax in terms.taxes],
        [amount for _, amount in terms.credits],
        tax_per_line=terms.tax_per_line,
    )
    return Quote(currency, zone.key, period, tuple(lines), terms, settled, ignored)


def asked_period(document: Mapping[str, Any], zone_name: str = "UTC") -> Period:
    """Return the period of a document, for who looks up what was recorded for it. Raise PlanFileError as answer() does."""
    return _period(document.get("period"), _zone(document, zone_name))


def quote_json(quote: Quote) -> dict[str, Any]:
    """Return a quote as the API says it: all numbers are decimal strings, exact ones that do not end numerator/denominator."""
    settled, currency = quote.settlement, quote.currency
    return {
        "currency": currency,
        "timezone": quote.timezone,
        "period": {"start": instant_text(quote.period.start), "end": instant_text(quote.period.end)},
        "lines": [line_json(line, currency) for line in quote.lines],
        "subtotal": amount_text(settled.subtotal_minor, currency),
        "discount": amount_text(settled.discount_minor, currency),
        "discounts": [
            {"name": terms.name, "amount": amount_text(amount, currency)}
            for terms, amount in zip(quote.terms.discounts, settled.discounts, strict=True)
        ],
        "tax": amount_text(settled.tax_minor, currency),
        "taxes": [
            {
                "name": tax.terms.name,
                "rate": exact_text(tax.terms.rate),
                "included": tax.terms.included,
                "base": amount_text(tax.base_minor, currency),
                "amount": amount_text(tax.amount_minor, currency),
            }
            for tax in settled.taxes
        ],
        "credit": amount_text(settled.credit_minor, currency),
        "credits": [
            {"name": name, "amount": amount_text(used, currency)}
            for (name, _), used in zip(quote.terms.credits, settled.credits, strict=True)
        ],
        "total": amount_text(settled.total_minor, currency),
        "ignored_records": quote.ignored_records,
    }


def line_json(line: Line, currency: str) -> dict[str, Any]:
    """Return one line of a quote."""
    return {
        "meter": line.meter or None,
        "kind": line.kind,
        "name": line.name,
        "window": line.window or None,
        "start": instant_text(line.span.start),
        "end": instant_text(line.span.end),
        "unit": line.unit or None,
        "quantity": exact_text(line.units),
        "exact": exact_text(line.exact),
        "amount": amount_text(line.amount_minor, currency),
        "derivation": line.derivation,
    }


def _zone(document: Mapping[str, Any], default: str) -> ZoneInfo:
    name = fields.text(document, "timezone", "", 64, default)
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise PlanFileError("timezone", f"{name!r} is no time zone such as Europe/Berlin.") from error


def _period(value: object, zone: ZoneInfo) -> Period:
    """Two instants, or two local days; each day stands for its first instant."""
    row = fields.table({} if value is None else value, "period")
    fields.only(row, {"start", "end", "months"}, "period")
    if row.get("months") is not None:
        row = {"start": row.get("start"), "end": _anchored(row)}
    edges = []
    for key in ("start", "end"):
        text = row.get(key)
        if isinstance(text, str) and len(text) == len("2026-10-01"):
            try:
                edges.append(day_start(date.fromisoformat(text), zone))
                continue
            except (ValueError, OverflowError) as error:
                raise PlanFileError(f"period.{key}", f"{text!r} is no day such as 2026-10-01.") from error
        if text is None:
            raise PlanFileError(f"period.{key}", "is missing.")
        edges.append(fields.moment(text, f"period.{key}"))
    if edges[1] <= edges[0]:
        raise PlanFileError("period.end", "is not after the start.")
    if edges[1] - edges[0] > LONGEST_PERIOD:
        raise PlanFileError("period.end", f"is more than {LONGEST_PERIOD.days} days after the start.")
    return Period(*edges)


def _anchored(row: Mapping[str, Any]) -> str:
    """The day so many months after the start: of a short month the last one, for a start on the 29th to 31st."""
    text, months = row.get("start"), fields.whole(row, "months", "period", 12)
    if not isinstance(text, str) or len(text) != len("2026-10-01") or row.get("end") is not None or not months:
        raise PlanFileError("period.months", "goes with a start that is a day such as 2026-10-01, and without an end.")
    try:
        return anniversary(date.fromisoformat(text), months).isoformat()
    except (ValueError, OverflowError) as error:
        raise PlanFileError("period.start", f"{text!r} is no day such as 2026-10-01.") from error


def anniversary(start: date, months: int) -> date:
    """Return the same day of a later month, or its last day where it is shorter."""
    year, month = start.year + (start.month - 1 + months) // 12, (start.month - 1 + months) % 12 + 1
    return date(year, month, min(start.day, monthrange(year, month)[1]))


def _inline(document: Mapping[str, Any], period: Period) -> VersionTerms:
    """Prices of the quote itself. One with a prior quantity counts on from it, unless it says that its tiers do not."""
    rows = fields.rows(document.get("prices"), "prices", 50)
    if document.get("prior_quantity") is not None:
        rows = [_counting_on(row) for row in rows]
    return VersionTerms("quote", "Quote", 1, currency_of(document), period.start, check_prices(rows, READING))


def _counting_on(row: object) -> object:
    if not isinstance(row, dict) or "tier_window" in row or row.get("aggregation", "sum") != "sum":
        return row
    models = [model.value for model, keys in KEYS_OF.items() if "tier_window" in keys]
    events = any(key in row for key in ("fixed", "free_events", "free_amount"))
    return row if row.get("model") not in models or events else {**row, "tier_window": TierWindow.CONTRACT.value}


def _corrections(lines: Sequence[Line], version: VersionTerms, billed: Mapping[str, int] | int, period: Period) -> list[Line]:
    """One line for each price: what it comes to now less what was billed, corrections included. Nothing owed, no line.

    The true-up of a commitment is one more; of a single price and a single amount it is a part.
    """
    names = {price.position: (price.meter, price.name) for price in version.prices}
    if isinstance(billed, int):
        if len(names) != 1:
            raise PlanFileError("already_billed", f"say of which: {', '.join(meter or name for meter, name in names.values())}.")
        position = version.prices[0].position
        return [*_correction(position, names[position], lines, billed, version, period)]
    names |= {COMMITMENT: ("", "commitment")}
    known = {name for pair in names.values() for name in pair if name}
    for name in billed:
        if name not in known:
            raise PlanFileError(f"already_billed.{name[:40]}", "is no meter and no name of a price here.")
    left = dict(billed)
    corrections: list[Line] = []
    for position, (meter, name) in names.items():
        charged = left.pop(meter, 0) + left.pop(name, 0)
        rated = [line for line in lines if _position(line) == position]
        corrections += _correction(position, (meter, name), rated, charged, version, period)
    return corrections


def _correction(
    position: int, names: tuple[str, str], rated: Sequence[Line], charged: int, version: VersionTerms, period: Period
) -> Iterator[Line]:
    total = sum(line.amount_minor for line in rated)
    if total == charged:
        return
    usage = [line for line in rated if line.kind != "minimum_true_up"]
    yield Line(
        kind="correction",
        name=f"{names[1]}, correction",
        charge_key=f"{version.plan_code}/{version.number}/{position}@{period.start_ms}",
        plan_code=version.plan_code,
        plan_name=version.plan_name,
        plan_version=version.number,
        span=period,
        meter=names[0],
        unit=usage[0].unit if usage else "",
        base_unit="",
        quantity=0,
        quantity_text="",
        exact=sum((line.exact for line in rated), Fraction(0)) - from_minor(charged, version.currency),
        amount_minor=total - charged,
        derivation={
            "rated": amount_text(total, version.currency),
            "billed": amount_text(charged, version.currency),
            "lines": [line_json(line, version.currency) for line in rated],
        },
        units=sum((line.units for line in usage), Fraction(0)),
    )


def _position(line: Line) -> int:
    """Which price a line is of: the middle of its key. The true-up of a commitment is of none."""
    place = line.charge_key.rpartition("/")[2].partition("@")[0].partition(".")[0]
    return COMMITMENT if place in ("minimum", "commitment") else int(place)


def _commitment(lines: Sequence[Line], version: VersionTerms, commitment: Fraction, period: Period) -> list[Line]:
    """What all lines together lack to a commitment on the whole invoice."""
    if not commitment:
        return []
    printed = sum(line.amount_minor for line in lines)
    exact = commitment - from_minor(printed, version.currency)
    amount_minor = to_minor(exact, version.currency)
    if amount_minor <= 0:
        return []
    line = Line(
        "minimum_true_up", "Up to the commitment", f"quote/commitment@{period.start_ms}", version.plan_code, version.plan_name,
        version.number, period, "", "", "", 0, "", exact, amount_minor,
        {"minimum": exact_text(commitment), "printed": amount_text(printed, version.currency), "exact": exact_text(exact)},
    )  # fmt: skip
    return [line]
