"""Every word and number that an invoice's document shows, as plain JSON, from the invoice's own rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from accounts import formats
from invoices import display
from invoices.corrections import period_name
from invoices.models import Invoice, InvoiceLine
from invoices.money import parse_decimal
from usage.meters import MS_PER_HOUR
from usage.periods import Period

CHART_ROWS = 8


def content(invoice: Invoice) -> dict[str, Any]:
    """Return every word and number of the document."""
    lines = list(invoice.lines.all())
    return {
        "title": f"Invoice {invoice.number}" if invoice.number else "Draft invoice",
        "banner": _banner(invoice),
        "seller": _party(invoice.seller_name, invoice.seller_address, invoice.seller_tax_id),
        "customer": _party(invoice.customer_name, invoice.customer_address, invoice.customer_tax_id),
        "facts": _facts(invoice),
        "lines": [_line(invoice, line) for line in lines],
        "totals": _totals(invoice),
        "total": display.money(invoice.total_minor, invoice.currency, invoice.locale),
        "note": _note(invoice),
        "chart": _chart(invoice, lines),
        "seal": invoice.content_hash,
        "appendix": [_explanation(invoice, line) for line in lines if line.derivation],
    }


def _banner(invoice: Invoice) -> str:
    if invoice.state == Invoice.State.DRAFT:
        return f"Draft. Not an invoice: {'it is held for review' if invoice.waits else 'amounts may still change'}."
    return "Void. Nothing is to be paid." if hasattr(invoice, "voiding") else ""


def _party(name: str, address: str, tax_id: str) -> dict[str, Any]:
    return {"name": name, "address": [row for row in address.splitlines() if row], "tax_id": tax_id}


def _facts(invoice: Invoice) -> list[list[str]]:
    period, zone = Period(invoice.period_start, invoice.period_end), ZoneInfo(invoice.timezone)
    hours = display.quantity(str(period.length_ms // MS_PER_HOUR), invoice.locale)
    issued = [["Issued", display.day(invoice.issued_on, invoice.locale)]] if invoice.issued_on else []
    due = [["Due", display.day(invoice.due_on, invoice.locale)]] if invoice.due_on else []
    plans = [f"{plan['name']}, version {plan['version']}" for plan in invoice.plans]
    return [
        *issued,
        *due,
        ["Period", period_name(period, zone)],
        ["Time zone", f"{invoice.timezone}, {hours} hours"],
        *([["Plan", "; ".join(plans)]] if plans else []),
        ["Customer", invoice.customer_code],
    ]


def _line(invoice: Invoice, line: InvoiceLine) -> dict[str, str]:
    return {
        "name": line.name,
        "remark": _remark(invoice, line),
        "quantity": display.quantity(line.quantity_text, invoice.locale) if line.quantity_text else "",
        "unit": line.unit,
        "amount": display.money(line.amount_minor, invoice.currency, invoice.locale),
    }


def _remark(invoice: Invoice, line: InvoiceLine) -> str:
    """What a reader must know beside the name: a part of the period, an allowance, a class."""
    derivation = line.derivation
    remarks = []
    if line.kind != InvoiceLine.Kind.CORRECTION and (line.period_start, line.period_end) != (
        invoice.period_start,
        invoice.period_end,
    ):
        zone = ZoneInfo(invoice.timezone)
        remarks.append(f"{_moment(line.period_start, zone)} to {_moment(line.period_end, zone)}, version {line.plan_version}")
    if derivation.get("machine_class"):
        remarks.append(f"machines of class {derivation['machine_class']}")
    if derivation.get("included", "0") != "0":
        remarks.append(f"first {display.quantity(derivation['included'], invoice.locale)} {line.unit} included")
    return "; ".join(remarks)


def _totals(invoice: Invoice) -> list[list[str]]:
    """What stands between the lines and the total, which is set apart; nothing where that is all there is."""
    rows = [(discount["name"], -discount["amount_minor"]) for discount in invoice.discounts]
    rows += [(_tax_name(invoice, tax), tax["tax_minor"]) for tax in invoice.taxes]
    if invoice.credit_minor:
        rows.append(
            ("Paid from your credit" if invoice.credit_minor > 0 else "Carried over to your credit", -invoice.credit_minor)
        )
    if rows:
        rows.insert(0, ("Subtotal", invoice.subtotal_minor))
    return [[name, display.money(amount, invoice.currency, invoice.locale)] for name, amount in rows]


def _tax_name(invoice: Invoice, tax: Mapping[str, Any]) -> str:
    """The tax with its rate and whether the prices hold it: "19 % USt, included"."""
    rate = formats.percent(Fraction(tax["rate_micro"], 10**6), 2, invoice.locale)
    return f"{rate} {tax['name'] or 'tax'}{', included' if invoice.tax_included else ''}"


def _chart(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[list[Any]]:
    """The largest lines as bars: name, amount, and thousandths of the longest bar."""
    charged = sorted((line for line in lines if line.amount_minor > 0), key=lambda line: -line.amount_minor)[:CHART_ROWS]
    longest = charged[0].amount_minor if len(charged) > 1 else 0
    return [
        [line.name, display.money(line.amount_minor, invoice.currency, invoice.locale), line.amount_minor * 1000 // longest]
        for line in (charged if longest else ())
    ]


def _note(invoice: Invoice) -> str:
    if invoice.due_on is None:
        return ""
    reasons = " ".join(tax["reason"] for tax in invoice.taxes if tax["reason"])
    if invoice.total_minor <= 0:
        return f"Nothing is to be paid. {reasons}".strip()
    return f"Please pay by {display.day(invoice.due_on, invoice.locale)}, quoting {invoice.number}. {reasons}".strip()


def _explanation(invoice: Invoice, line: InvoiceLine) -> dict[str, Any]:
    """How one line came about: facts, its arithmetic, its machines."""
    derivation = line.derivation
    return {
        "name": line.name,
        "amount": display.money(line.amount_minor, invoice.currency, invoice.locale),
        "facts": _line_facts(invoice, line),
        "unit": line.unit,
        "tiers": [_tier(invoice, tier) for tier in derivation.get("tiers", ())],
        "sum": _sum(invoice, derivation),
        "machines": [_machine(invoice, line, machine) for machine in derivation.get("machines", ())],
    }


def _line_facts(invoice: Invoice, line: InvoiceLine) -> list[list[str]]:
    derivation, zone = line.derivation, ZoneInfo(invoice.timezone)
    plan = derivation["plan"]
    since = datetime.fromisoformat(plan["effective_from"]).astimezone(zone).date()
    facts = [
        [
            "Span",
            f"{_moment(line.period_start, zone)} to {_moment(line.period_end, zone)}, {derivation['window']['hours']} hours",
        ],
        ["Plan", f"{plan['name']}, version {plan['version']}, in force since {display.day(since, invoice.locale)}"],
    ]
    if derivation.get("coverage"):
        facts.append(["Coverage", _coverage(derivation["coverage"], invoice.locale)])
    if derivation.get("included", "0") != "0":
        facts.append(["Included", f"{display.quantity(derivation['included'], invoice.locale)} {line.unit} come off first"])
    if derivation.get("package_size"):
        facts.append(
            ["Package", f"{display.quantity(derivation['package_size'], invoice.locale)} {line.unit}, started ones count"]
        )
    if derivation.get("share", "1") != "1":
        facts.append(["Share", f"{derivation['share']} of the month's fee, {_PRORATION[derivation['proration']]}"])
    if derivation.get("correction"):
        facts.append(["Correction", _correction(derivation["correction"], invoice)])
    return facts


_PRORATION = {"none": "never prorated", "day": "by local calendar days", "second": "by elapsed seconds"}


def _correction(correction: Mapping[str, Any], invoice: Invoice) -> str:
    """Usage that came late, in one sentence."""
    symbol = invoice.currency
    billed_by = ", ".join(correction["invoices"]) or "no invoice"
    if correction.get("taken_off"):
        return (
            f"{correction['billed']} {symbol} was billed for {correction['period']} by {billed_by} already and is taken off here."
        )
    return (
        f"{correction['period']} comes to {correction['rated']} {symbol} with all usage known now;"
        f" {correction['billed']} {symbol} was billed by {billed_by}."
    )


def _coverage(coverage: Mapping[str, int], locale: str) -> str:
    share = display.percent(coverage["covered_ms"], coverage["period_ms"], locale)
    machines = "1 machine" if coverage["machines"] == 1 else f"{coverage['machines']} machines"
    return f"{share} of {machines}, in {display.quantity(str(coverage['buckets']), locale)} quarter hours"


def _tier(invoice: Invoice, tier: Mapping[str, Any]) -> list[str]:
    """Tier, quantity, price, flat fee, exact amount."""
    flat = "" if tier["flat"] == "0" else display.exact_money(tier["flat"], invoice.currency, invoice.locale)
    return [
        _bounds(tier, invoice.locale),
        display.quantity(tier["units"], invoice.locale),
        display.exact_money(tier["unit_price"], invoice.currency, invoice.locale),
        flat,
        display.exact_money(tier["exact"], invoice.currency, invoice.locale),
    ]


def _bounds(tier: Mapping[str, Any], locale: str) -> str:
    above = display.quantity(tier["above"], locale)
    if tier["up_to"] is None:
        return "All" if tier["above"] == "0" else f"above {above}"
    return f"{above} to {display.quantity(tier['up_to'], locale)}"


def _sum(invoice: Invoice, derivation: Mapping[str, Any]) -> str:
    """The exact sum and what it is rounded to."""
    exact = display.exact_money(derivation["exact"], invoice.currency, invoice.locale)
    places = len(derivation["amount"].partition(".")[2])
    amount_minor = parse_decimal(derivation["amount"], places)
    rounded = display.money(amount_minor, invoice.currency, invoice.locale)
    return rounded if exact == rounded else f"{exact} \N{RIGHTWARDS ARROW} {rounded}"


def _machine(invoice: Invoice, line: InvoiceLine, machine: Mapping[str, Any]) -> list[str]:
    """Machine, quantity, coverage."""
    span = Period(line.period_start, line.period_end)
    coverage = line.derivation.get("coverage")
    share = display.percent(machine["covered_ms"], machine.get("due_ms", span.length_ms), invoice.locale) if coverage else ""
    return [machine["name"] or machine["code"], display.quantity(machine["units"], invoice.locale), share]


def _moment(instant: datetime, zone: ZoneInfo) -> str:
    local = instant.astimezone(zone)
    return f"{local.day} {local:%B %Y}" if (local.hour, local.minute) == (0, 0) else f"{local.day} {local:%B %Y %H:%M}"
