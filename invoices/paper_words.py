"""The words of the layout itself, in the language that is active."""

from django.utils.translation import gettext as _


def layout_words() -> dict[str, str]:
    """Return what layout/invoice.typ says besides the content, by the name that it has there."""
    return {
        "tax_id": _("Tax id"),
        "from": _("From"),
        "to": _("To"),
        "line": _("Line"),
        "quantity": _("Quantity"),
        "amount": _("Amount"),
        "total": _("Total"),
        "made_of": _("What it is made of"),
        "by_day": _("What was used day by day"),
        "how": _("How each line came about"),
        "rounding": _(
            "Every amount is exact until it is rounded once to the currency's smallest unit, a half away from zero. "
            "Spans and tiers: the start of a span is inside, its end is not; a tier's upper bound still belongs to it."
        ),
        "tier": _("Tier"),
        "price": _("Price"),
        "flat": _("Flat fee"),
        "exact": _("Exact"),
        "sum": _("Sum, rounded once"),
        "machine": _("Machine"),
        "metered": _("Metered"),
        "seal": _("SHA-256 of everything printed"),
    }
