"""Every word and number that an invoice's document shows, as plain JSON, from the invoice's own rows.

In the language that is active; whoever makes a document speaks its customer's.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from accounts import formats
from invoices import display
from invoices.models import Invoice, InvoiceLine
from invoices.money import parse_decimal, rounded_text
from invoices.wording import plan_words
from usage.meters import METERS, MS_PER_HOUR
from usage.periods import Period

CHART_ROWS = 8


def content(invoice: Invoice) -> dict[str, Any]:
    """Return every word and number of the document."""
    lines = list(invoice.lines.all())
    return {
        "title": _("Invoice %(number)s") % {"number": invoice.number} if invoice.number else _("Draft invoice"),
        "banner": _banner(invoice),
        "seller": party(invoice.seller_name, invoice.seller_address, invoice.seller_tax_id),
        "customer": party(invoice.customer_name, invoice.customer_address, invoice.customer_tax_id),
        "facts": _facts(invoice),
        "lines": [_line(invoice, line) for line in lines],
        "totals": _totals(invoice),
        "total": display.money(invoice.total_minor, invoice.currency, invoice.locale),
        "note": _note(invoice),
        "chart": _chart(invoice, lines),
        "days": [_days(invoice, line) for line in lines if line.derivation.get("days")],
        "seal": invoice.content_hash,
        "appendix": [_explanation(invoice, line) for line in lines if line.derivation],
    }


def _banner(invoice: Invoice) -> str:
    if invoice.state == Invoice.State.DRAFT:
        if invoice.waits:
            return _("Draft. Not an invoice: it is held for review.")
        return _("Draft. Not an invoice: amounts may still change.")
    return _("Void. Nothing is to be paid.") if hasattr(invoice, "voiding") else ""


def party(name: str, address: str, tax_id: str) -> dict[str, Any]:
    """Return who it is from or to."""
    return {"name": name, "address": [row for row in address.splitlines() if row], "tax_id": tax_id}


def _facts(invoice: Invoice) -> list[list[str]]:
    period, zone = Period(invoice.period_start, invoice.period_end), ZoneInfo(invoice.timezone)
    hours = display.quantity(str(period.length_ms // MS_PER_HOUR), invoice.locale)
    issued = [[_("Issued"), display.day(invoice.issued_on, invoice.locale)]] if invoice.issued_on else []
    due = [[_("Due"), display.day(invoice.due_on, invoice.locale)]] if invoice.due_on else []
    plans = [plan_words(plan["name"], plan["version"]) for plan in invoice.plans]
    return [
        *issued,
        *due,
        [_("Period"), display.period(period, zone, invoice.locale)],
        [_("Time zone"), _("%(zone)s, %(hours)s hours") % {"zone": invoice.timezone, "hours": hours}],
        *([[_("Plan"), "; ".join(plans)]] if plans else []),
        [_("Customer"), invoice.customer_code],
        *([[_("Your reference"), invoice.buyer_reference]] if invoice.buyer_reference else []),
        *([[_("Bank account"), _in_fours(invoice.seller_iban)]] if invoice.seller_iban and invoice.total_minor > 0 else []),
        *([[_("Questions"), ", ".join(asked)]] if (asked := _whom_to_ask(invoice)) else []),
    ]


def _in_fours(iban: str) -> str:
    return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))


def _whom_to_ask(invoice: Invoice) -> list[str]:
    return [told for told in (invoice.seller_contact, invoice.seller_phone, invoice.seller_email) if told]


def _line(invoice: Invoice, line: InvoiceLine) -> dict[str, str]:
    return {
        "name": line.name,
        "remark": _remark(invoice, line),
        "quantity": display.quantity(line.quantity_text, invoice.locale) if line.quantity_text else "",
        "unit": _(line.unit) if line.unit else "",
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
        span = _span(invoice, line) | {"version": line.plan_version}
        remarks.append(_("%(start)s to %(end)s, version %(version)s") % span)
    if derivation.get("machine_class"):
        remarks.append(_("machines of class %(name)s") % {"name": derivation["machine_class"]})
    if derivation.get("included", "0") != "0":
        remarks.append(_("first %(quantity)s %(unit)s included") % _sized(invoice, line, "included"))
    return "; ".join(remarks)


def _totals(invoice: Invoice) -> list[list[str]]:
    """What stands between the lines and the total, which is set apart; nothing where that is all there is."""
    rows = [(discount["name"], -discount["amount_minor"]) for discount in invoice.discounts]
    rows += [(tax_name(invoice, tax), tax["tax_minor"]) for tax in invoice.taxes]
    if invoice.credit_minor:
        name = _("Paid from your credit") if invoice.credit_minor > 0 else _("Carried over to your credit")
        rows.append((name, -invoice.credit_minor))
    if rows:
        rows.insert(0, (_("Subtotal"), invoice.subtotal_minor))
    return [[name, display.money(amount, invoice.currency, invoice.locale)] for name, amount in rows]


def tax_name(invoice: Invoice, tax: Mapping[str, Any]) -> str:
    """The tax with its rate and whether the prices hold it: "19 % USt, included"."""
    rate = formats.percent(Fraction(tax["rate_micro"], 10**6), 2, invoice.locale)
    name = f"{rate} {tax['name']}" if tax["name"] else _("%(rate)s tax") % {"rate": rate}
    return name + (_(", included") if invoice.tax_included else "")


def _chart(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[list[Any]]:
    """The largest lines as bars: name, amount, and thousandths of the longest bar."""
    charged = sorted((line for line in lines if line.amount_minor > 0), key=lambda line: -line.amount_minor)[:CHART_ROWS]
    longest = charged[0].amount_minor if len(charged) > 1 else 0
    return [
        [line.name, display.money(line.amount_minor, invoice.currency, invoice.locale), line.amount_minor * 1000 // longest]
        for line in (charged if longest else ())
    ]


def _days(invoice: Invoice, line: InvoiceLine) -> dict[str, Any]:
    """What was used of a meter on each day: its name and unit, the highest day, and each day in thousandths of that."""
    told, meter = line.derivation["days"], METERS[line.meter]
    highest = max(told["quantities"])
    first = date.fromisoformat(told["first"])
    top = display.quantity(rounded_text(Fraction(highest, meter.per_unit), 3), invoice.locale)
    return {
        "name": _(meter.name),
        "top": _("at most %(quantity)s %(unit)s a day") % {"quantity": top, "unit": _(meter.unit)},
        "first": display.day(first, invoice.locale),
        "last": display.day(first + timedelta(days=len(told["quantities"]) - 1), invoice.locale),
        "heights": [quantity * 1000 // highest if highest else 0 for quantity in told["quantities"]],
    }


def _note(invoice: Invoice) -> str:
    if invoice.due_on is None:
        return ""
    reasons = " ".join(_(reason) for reason in [tax["reason"] for tax in invoice.taxes] if reason)
    if invoice.total_minor <= 0:
        return " ".join([_("Nothing is to be paid."), reasons]).strip()
    asked = _("Please pay by %(day)s, quoting %(number)s.")
    return " ".join([asked % {"day": display.day(invoice.due_on, invoice.locale), "number": invoice.number}, reasons]).strip()


def _explanation(invoice: Invoice, line: InvoiceLine) -> dict[str, Any]:
    """How one line came about: facts, its arithmetic, its machines."""
    derivation = line.derivation
    return {
        "name": line.name,
        "amount": display.money(line.amount_minor, invoice.currency, invoice.locale),
        "facts": _line_facts(invoice, line),
        "unit": _(line.unit) if line.unit else "",
        "tiers": [_tier(invoice, tier) for tier in derivation.get("tiers", ())],
        "sum": _sum(invoice, derivation),
        "machines": [_machine(invoice, line, machine) for machine in derivation.get("machines", ())],
    }


def _line_facts(invoice: Invoice, line: InvoiceLine) -> list[list[str]]:
    derivation, zone = line.derivation, ZoneInfo(invoice.timezone)
    plan = derivation["plan"]
    since = datetime.fromisoformat(plan["effective_from"]).astimezone(zone).date()
    told = {"name": plan["name"], "version": plan["version"], "day": display.day(since, invoice.locale)}
    facts = [
        [
            _("Span"),
            _("%(start)s to %(end)s, %(hours)s hours") % (_span(invoice, line) | {"hours": derivation["window"]["hours"]}),
        ],
        [_("Plan"), _("%(name)s, version %(version)s, in force since %(day)s") % told],
    ]
    if derivation.get("coverage"):
        facts.append([_("Coverage"), _coverage(derivation["coverage"], invoice.locale)])
    if derivation.get("included", "0") != "0":
        facts.append([_("Included"), _("%(quantity)s %(unit)s come off first") % _sized(invoice, line, "included")])
    if derivation.get("package_size"):
        facts.append([_("Package"), _("%(quantity)s %(unit)s, started ones count") % _sized(invoice, line, "package_size")])
    if derivation.get("share", "1") != "1":
        how = _PRORATION[derivation["proration"]]
        part = {"share": derivation["share"], "how": _(how)}
        facts.append([_("Share"), _("%(share)s of the month's fee, %(how)s") % part])
    if derivation.get("correction"):
        facts.append([_("Correction"), _correction(derivation["correction"], invoice)])
    return facts


_PRORATION = {
    "none": gettext_noop("never prorated"),
    "day": gettext_noop("by local calendar days"),
    "second": gettext_noop("by elapsed seconds"),
}


def _correction(correction: Mapping[str, Any], invoice: Invoice) -> str:
    """Usage that came late, in one sentence."""
    told = {
        "billed": f"{correction['billed']} {invoice.currency}",
        "rated": f"{correction['rated']} {invoice.currency}",
        "period": period_of(correction, ZoneInfo(invoice.timezone), invoice.locale),
        "invoices": ", ".join(correction["invoices"]) or _("no invoice"),
    }
    if correction.get("taken_off"):
        return _("%(billed)s was billed for %(period)s by %(invoices)s already and is taken off here.") % told
    return _("%(period)s comes to %(rated)s with all usage known now; %(billed)s was billed by %(invoices)s.") % told


def _coverage(coverage: Mapping[str, int], locale: str) -> str:
    share = display.percent(coverage["covered_ms"], coverage["period_ms"], locale)
    told = {"share": share, "count": coverage["machines"], "buckets": display.quantity(str(coverage["buckets"]), locale)}
    return (
        ngettext(
            "%(share)s of %(count)d machine, in %(buckets)s quarter hours",
            "%(share)s of %(count)d machines, in %(buckets)s quarter hours",
            coverage["machines"],
        )
        % told
    )


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
        return _("All") if tier["above"] == "0" else _("above %(bound)s") % {"bound": above}
    return _("%(low)s to %(high)s") % {"low": above, "high": display.quantity(tier["up_to"], locale)}


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


def _sized(invoice: Invoice, line: InvoiceLine, key: str) -> dict[str, str]:
    """A quantity of the derivation with its unit, for a sentence."""
    return {"quantity": display.quantity(line.derivation[key], invoice.locale), "unit": _(line.unit)}


def _span(invoice: Invoice, line: InvoiceLine) -> dict[str, str]:
    """Start and end of a line, for a sentence."""
    zone = ZoneInfo(invoice.timezone)
    return {"start": _moment(line.period_start, zone, invoice), "end": _moment(line.period_end, zone, invoice)}


def period_of(correction: Mapping[str, Any], zone: ZoneInfo, locale: str) -> str:
    """The period that a correction is for; lines of before its ends were kept say it as it was written then."""
    if "period_start" not in correction:
        return str(correction["period"])
    start, end = (datetime.fromisoformat(correction[key]) for key in ("period_start", "period_end"))
    return display.period(Period(start, end), zone, locale)


def _moment(instant: datetime, zone: ZoneInfo, invoice: Invoice) -> str:
    local = instant.astimezone(zone)
    day = display.day(local.date(), invoice.locale)
    return day if (local.hour, local.minute) == (0, 0) else f"{day} {local:%H:%M}"
