"""Money in templates: minor units and decimal strings, written as the customer of the page, or the invoice, writes them."""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts import formats
from accounts.templatetags.words import reader_of
from invoices.document_text import period_of
from invoices.money import amount_text, parse_exact
from usage.units import short_unit

register = template.Library()
PRICE_DIGITS = 4
EXACT_DIGITS = 9


@register.simple_tag(takes_context=True)
def money(context: Context, amount_minor: int) -> SafeString:
    """An amount in minor units, the plain decimal in `value`."""
    reader = reader_of(context)
    plain = amount_text(amount_minor, reader.currency)
    return format_html('<data value="{}">{}</data>', plain, formats.money(Decimal(plain), reader.currency, reader.locale))


@register.simple_tag(takes_context=True)
def credit(context: Context, amount_minor: int) -> SafeString:
    """An amount that is taken off, with its sign."""
    return money(context, -amount_minor)


@register.simple_tag(takes_context=True)
def tax_rate(context: Context, tax: dict[str, Any]) -> str:
    """A tax as an invoice keeps it: "19 % USt", and why where none is charged."""
    share = formats.percent(Fraction(tax["rate_micro"], 10**6), 2, reader_of(context).locale)
    name, reason = tax["name"], tax["reason"]
    text = f"{share} {name}" if name else _("%(rate)s tax") % {"rate": share}
    return f"{text}. {_(reason)}" if reason else text


@register.simple_tag(takes_context=True)
def decimal_money(context: Context, amount: Decimal | str) -> SafeString:
    """An amount as a decimal, the plain decimal in `value`."""
    reader = reader_of(context)
    text = formats.money(Decimal(amount), reader.currency, reader.locale)
    return format_html('<data value="{}">{}</data>', amount, text)


@register.simple_tag(takes_context=True)
def price(context: Context, exact: str, digits: int = PRICE_DIGITS) -> str:
    """A unit price, with so many decimals or as many as it has."""
    reader = reader_of(context)
    value = parse_exact(exact)
    return formats.money(_decimal(value, EXACT_DIGITS), reader.currency, reader.locale, max(digits, _places(value)))


@register.simple_tag(takes_context=True)
def exact_money(context: Context, exact: str) -> str:
    """An amount before rounding, with every decimal it has; one without end is cut and says so."""
    reader = reader_of(context)
    value = parse_exact(exact)
    places = _places(value)
    text = formats.money(_decimal(value, EXACT_DIGITS), reader.currency, reader.locale, max(2, places))
    return text if value == _decimal_fraction(value, places) else re.sub(r"(\d)(\D*)$", r"\1…\2", text)


@register.simple_tag(takes_context=True)
def corrected_period(context: Context, correction: dict[str, Any]) -> str:
    """The period that a correction is for."""
    reader = reader_of(context)
    return period_of(correction, ZoneInfo(reader.timezone), reader.locale)


@register.simple_tag
def invoice_links(numbers: list[str]) -> SafeString:
    """Links to invoices, with commas between; in words where there is none."""
    links = ((reverse("invoice", args=[number]), number) for number in numbers)
    return format_html_join(", ", '<a href="{}">{}</a>', links) or SafeString(_("the close of its month"))


@register.simple_tag(takes_context=True)
def units(context: Context, text: str | None, digits: int = 3) -> str:
    """A quantity kept as a decimal string or a fraction, in its unit."""
    return formats.number(_decimal(parse_exact(text or "0"), digits), digits, reader_of(context).locale)


@register.simple_tag(takes_context=True)
def bound(context: Context, text: str) -> str:
    """A tier's bound, with the decimals it needs."""
    value = parse_exact(text)
    return formats.number(_decimal(value, EXACT_DIGITS), _places(value), reader_of(context).locale)


@register.simple_tag(takes_context=True)
def calendar_day(context: Context, on: date) -> str:
    """A day that is already local, such as a due date."""
    midnight = datetime.combine(on, time(12), tzinfo=UTC)
    return formats.day(midnight, formats.UTC_ZONE, reader_of(context).locale)


@register.filter
def short(unit: str) -> str:
    """A unit as it stands behind a number."""
    return short_unit(unit)


@register.filter
def instant(text: str) -> datetime | None:
    """An instant kept as RFC 3339 text."""
    return parse_datetime(text)


@register.filter
def coverage_of(derivation: dict[str, Any]) -> Fraction | None:
    """How much of the span was metered over all machines of a line; None where nothing could be."""
    coverage = derivation.get("coverage")
    if not coverage or not coverage["period_ms"]:
        return None
    return min(Fraction(1), Fraction(coverage["covered_ms"], coverage["period_ms"]))


@register.simple_tag
def machine_coverage(machine: dict[str, Any], derivation: dict[str, Any]) -> Fraction | None:
    """How much of its time one machine of a line was metered; lines of before 'due_ms' counted the same for all."""
    coverage = derivation.get("coverage")
    if not coverage or not coverage["period_ms"]:
        return None
    due_ms = machine.get("due_ms", Fraction(coverage["period_ms"], coverage["machines"]))
    return min(Fraction(1), Fraction(machine["covered_ms"]) / due_ms) if due_ms else None


def _places(value: Fraction) -> int:
    """The decimals that a value needs, at most nine."""
    return next((places for places in range(EXACT_DIGITS) if value == _decimal_fraction(value, places)), EXACT_DIGITS)


def _decimal_fraction(value: Fraction, places: int) -> Fraction:
    return Fraction(_decimal(value, places))


def _decimal(value: Fraction, places: int) -> Decimal:
    return formats.decimal_of(value, places)
