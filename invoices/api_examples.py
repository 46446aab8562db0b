"""What answers of the money API look like, for its description."""

from typing import Any

from drf_spectacular.utils import OpenApiExample


def _answer(name: str, value: dict[str, Any]) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=["200"])


def _euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


_PERIOD = {"start": "2026-10-31T23:00:00Z", "end": "2026-11-30T23:00:00Z", "timezone": "Europe/Berlin"}
_LINE = {
    "kind": "usage",
    "name": "CPU",
    "plan": {"code": "cloud-eur", "name": "Cloud", "version": 1},
    "start": "2026-10-31T23:00:00Z",
    "end": "2026-11-30T23:00:00Z",
    "meter": "cpu",
    "quantity": "250.000",
    "unit": "core-hour",
    "base": 900000000,
    "base_unit": "core-ms",
    "exact": "10.5",
    "amount": _euros("10.50"),
    "derivation": {
        "model": "per_unit",
        "tiers": [{"above": "0", "up_to": None, "quantity": "250", "unit_price": "0.042", "flat": "0", "exact": "10.5"}],
        "coverage": {"covered_ms": 2592000000, "period_ms": 2592000000, "machines": 1, "buckets": 2880},
    },
}
_TOTALS = {
    "subtotal": _euros("10.50"),
    "discount": _euros("0.00"),
    "tax": _euros("2.00"),
    "credit": _euros("0.00"),
    "total": _euros("12.50"),
}
_CREDIT_NOTE = {
    "number": "CN-2026-0001",
    "issued_on": "2026-12-09",
    "reason": "Outage of 3 November",
    "total": _euros("1.19"),
    "to_wallet": _euros("0.00"),
}
_INVOICE = {
    "number": "CH-2026-0001",
    "customer": "acme",
    "status": "partly_paid",
    "period": _PERIOD,
    "issued_on": "2026-12-02",
    "due_on": "2026-12-16",
    "finalised_at": "2026-12-01T23:05:00Z",
    **_TOTALS,
    "paid": _euros("5.00"),
    "credited": _euros("1.19"),
    "outstanding": _euros("6.31"),
}
ESTIMATE = _answer(
    "Half-way through November",
    {
        "customer": "acme",
        "at": "2026-11-24T14:32:08Z",
        "period": _PERIOD,
        "lines": [_LINE],
        **_TOTALS,
        "exact": _euros("12.5000"),
        "per_hour": _euros("0.0147"),
    },
)
INVOICE = _answer("An open invoice", _INVOICE)
INVOICE_DETAIL = _answer(
    "An open invoice with its line",
    {
        **_INVOICE,
        "content_hash": "9f2c7b1e5a0d4c3f8e6b9a1d2c5f7e0b3a6d9c8f1e4b7a0d3c6f9e2b5a8d1c4f",
        "discounts": [],
        "taxes": [
            {
                "name": "USt",
                "category": "S",
                "percent": "19",
                "reason": "",
                "base": _euros("10.50"),
                "tax": _euros("2.00"),
            }
        ],
        "payments": [{"reference": "bank-20261208-17", "received_on": "2026-12-08", "amount": _euros("5.00")}],
        "credit_notes": [_CREDIT_NOTE],
        "buyer_reference": "04011000-1234512345-06",
        "seller": {"name": "Corehour Systems", "address": "", "tax_id": ""},
        "buyer": {"name": "Acme GmbH", "address": "Hauptstr. 1\n10115 Berlin", "tax_id": "DE123456789"},
        "lines": [_LINE],
    },
)
CREDIT_NOTE = _answer(
    "A part of a line given back",
    {
        **_CREDIT_NOTE,
        "invoice": "CH-2026-0001",
        "customer": "acme",
        "lines": [{"position": 1, "name": "CPU", "amount": _euros("1.00")}],
        "subtotal": _euros("1.00"),
        "taxes": [{"name": "USt", "category": "S", "percent": "19", "reason": "", "base": _euros("1.00"), "tax": _euros("0.19")}],
        "tax": _euros("0.19"),
    },
)
PLANS = _answer(
    "One plan",
    {
        "next": None,
        "previous": None,
        "results": [
            {
                "code": "cloud-eur",
                "name": "Cloud",
                "currency": "EUR",
                "version": 1,
                "effective_from": "2026-09-30T22:00:00Z",
                "subscribed_from": "2026-09-30T22:00:00Z",
                "subscribed_until": None,
                "prices": [{"name": "CPU", "model": "per_unit", "meter": "cpu", "unit": "core-hour", "unit_price": "0.042"}],
            }
        ],
    },
)
WALLET = _answer(
    "Ten euros paid in advance",
    {
        "customer": "acme",
        "balance": _euros("10.00"),
        "entries": [
            {
                "at": "2026-11-24T14:32:08Z",
                "kind": "top_up",
                "reference": "bank-20261124-3",
                "note": "",
                "amount": _euros("10.00"),
            }
        ],
    },
)
XML = OpenApiExample(
    "The document",
    "<?xml version='1.0' encoding='UTF-8'?> …",
    media_type="application/xml",
    response_only=True,
    status_codes=["200"],
)
PDF = OpenApiExample("The document", "%PDF-1.7 …", media_type="application/pdf", response_only=True, status_codes=["200"])
CSV = OpenApiExample(
    "Lines and totals",
    "line,kind,meter,period_start,period_end,quantity,unit,amount,currency,plan,version\r\n"
    "CPU,usage,cpu,2026-10-31T23:00:00+00:00,2026-11-30T23:00:00+00:00,250.000,core-hour,10.50,EUR,Cloud,1\r\n",
    media_type="text/csv",
    response_only=True,
    status_codes=["200"],
)
CREDIT_NOTE_CSV = OpenApiExample(
    "Lines and totals",
    "line,amount,currency,credit_note,invoice\r\nCPU,1.00,EUR,CN-2026-0001,CH-2026-0001\r\n",
    media_type="text/csv",
    response_only=True,
    status_codes=["200"],
)
