"""The tax rates known so far, and the ledger of what was billed and paid before there was one."""

from typing import Any

from django.db import migrations

from invoices.tax_rates import TAX_RATES


def load_rates(apps: Any, schema_editor: Any) -> None:
    """Enter the rates that are known at this version; an installation's own are never touched again."""
    rows = apps.get_model("invoices", "TaxRate").objects
    for country, since, name, rate_micro in TAX_RATES:
        rows.get_or_create(country=country, since=since, defaults={"name": name, "rate_micro": rate_micro})


def book_what_is_final(apps: Any, schema_editor: Any) -> None:
    """Enter into the ledger what was billed and paid before there was one."""
    invoices, entries = apps.get_model("invoices", "Invoice"), apps.get_model("invoices", "LedgerEntry").objects
    for invoice in invoices.objects.filter(state="finalised", voiding__isnull=True).prefetch_related("payments"):
        moves = [("receivable", "revenue", invoice.total_minor, "invoice", invoice.number, "")]
        moves += [
            ("cash", "receivable", payment.amount_minor, "payment", f"{invoice.number}/{payment.reference}", payment.recorded_by)
            for payment in invoice.payments.all()
        ]
        for debit, credit, amount_minor, kind, reference, by in moves:
            if amount_minor:
                to, source = (debit, credit) if amount_minor > 0 else (credit, debit)
                entries.create(
                    customer_id=invoice.customer_id, currency=invoice.currency, debit=to, credit=source,
                    amount_minor=abs(amount_minor), kind=kind, reference=reference, by=by,
                )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("invoices", "0004_books")]

    operations = [
        migrations.RunPython(load_rates, migrations.RunPython.noop),
        migrations.RunPython(book_what_is_final, migrations.RunPython.noop),
    ]
