"""The books around invoices: money moved, credit notes, discounts, one-off items, tax rates, and each hour's run.

What has happened is a row that is added and never changed; see invoices/guards.py. `_minor`: the currency's minor unit.
`_micro`: millionths, so that 19 % is 190_000.
"""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.models import COUNTRY, Customer

MILLION = 1_000_000


class LedgerEntry(models.Model):
    """An amount moved between two accounts of a customer. Each entry is both sides, so all accounts always sum to zero."""

    class Account(models.TextChoices):
        RECEIVABLE = "receivable", "Owed by the customer"
        WALLET = "wallet", "Prepaid and credits"
        REVENUE = "revenue", "Revenue"
        TAX = "tax", "Tax owed to the state"
        CASH = "cash", "Received"
        GOODWILL = "goodwill", "Credits given"

    class Kind(models.TextChoices):
        INVOICE = "invoice", "Invoice"
        PAYMENT = "payment", "Payment"
        CREDIT_NOTE = "credit_note", "Credit note"
        VOID = "void", "Voided invoice"
        TOP_UP = "top_up", "Prepayment"
        GRANT = "grant", "Credit given"
        REFUND = "refund", "Prepayment paid back"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="ledger")
    currency = models.CharField(max_length=3)
    debit = models.CharField(max_length=10, choices=Account.choices, help_text="The account that the amount goes to")
    credit = models.CharField(max_length=10, choices=Account.choices, help_text="The account that it comes from")
    amount_minor = models.BigIntegerField()
    kind = models.CharField(max_length=11, choices=Kind.choices)
    reference = models.CharField(max_length=160, help_text="What it belongs to; the same one counts once")
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=now)
    by = models.EmailField(blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "ledger entries"
        indexes = [models.Index(fields=["customer", "currency"], name="ledger_by_customer")]
        constraints = [
            models.UniqueConstraint(fields=["customer", "kind", "reference", "debit", "credit"], name="ledger_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="ledger_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="ledger_two_accounts"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.reference}"


class CreditNote(models.Model):
    """Part or all of a final invoice given back. Amounts are positive; what is printed besides is on the invoice's row."""

    invoice = models.ForeignKey("invoices.Invoice", models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=40, unique=True)
    reason = models.CharField(max_length=500)
    lines = models.JSONField(help_text="Position on the invoice, name and amount_minor of each")
    subtotal_minor = models.BigIntegerField(help_text="Before tax, discounts taken off")
    tax_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    to_wallet_minor = models.BigIntegerField(default=0, help_text="What was paid already and went to the wallet")
    taxes = models.JSONField(default=list, help_text="As on the invoice, for this note's amounts")
    issued_on = models.DateField()
    issued_at = models.DateTimeField(default=now)
    issued_by = models.EmailField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor"), total_minor__gt=0), name="credit_note_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(to_wallet_minor__gte=0, to_wallet_minor__lte=F("total_minor")), name="credit_note_to_wallet"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class Discount(models.Model):
    """Taken off each invoice whose period begins in [start, end), in the order of `position`."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="discounts")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order on the invoice")
    name = models.CharField(max_length=120, help_text="As printed on the invoice")
    share_micro = models.PositiveIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(MILLION)], help_text="Millionths of the lines: 100000 is 10 %"
    )
    fixed_minor = models.BigIntegerField(null=True, blank=True, help_text="Or an amount an invoice, in cents")
    start = models.DateTimeField(help_text="UTC")
    end = models.DateTimeField(null=True, blank=True, help_text="UTC; empty: goes on")

    class Meta:
        ordering = ["customer", "position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(share_micro__isnull=True, fixed_minor__isnull=False, fixed_minor__gt=0)
                | Q(fixed_minor__isnull=True, share_micro__isnull=False, share_micro__gt=0, share_micro__lte=MILLION),
                name="discount_share_or_fixed",
            ),
            models.CheckConstraint(condition=Q(end__isnull=True) | Q(end__gt=F("start")), name="discount_not_empty"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Say in words what the constraints hold."""
        if (self.share_micro is None) == (self.fixed_minor is None):
            raise ValidationError("Give either a share or a fixed amount.")
        if self.start and self.end and self.end <= self.start:
            raise ValidationError("A discount ends after it starts.")


class OneOffItem(models.Model):
    """Something charged once, on the first invoice made for a period that ends after `at`. Below zero it is given back."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="one_offs")
    name = models.CharField(max_length=200, help_text="As printed on the invoice")
    amount_minor = models.BigIntegerField(help_text="Net, in cents")
    at = models.DateTimeField(default=now, help_text="UTC")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["customer", "at", "pk"]
        constraints = [models.CheckConstraint(condition=~Q(amount_minor=0), name="one_off_not_zero")]

    def __str__(self) -> str:
        return self.name


class TaxRate(models.Model):
    """A country's standard rate from a day on, until the next one."""

    country = models.CharField(max_length=2, validators=[COUNTRY], help_text="ISO 3166")
    since = models.DateField(help_text="First day")
    name = models.CharField(max_length=40, default="VAT", help_text="As printed on the invoice")
    rate_micro = models.PositiveIntegerField(validators=[MaxValueValidator(MILLION)], help_text="Millionths: 190000 is 19 %")

    class Meta:
        ordering = ["country", "-since"]
        constraints = [models.UniqueConstraint(fields=["country", "since"], name="tax_rate_once")]

    def __str__(self) -> str:
        return f"{self.country} from {self.since}"


class InvoiceRun(models.Model):
    """One hour's run over all customers. The hour is unique, so two beats make one run."""

    hour = models.DateTimeField(unique=True)
    started_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-hour"]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:%M} UTC"


class RunItem(models.Model):
    """What a run did for one customer."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        PARKED = "parked", "Parked"

    run = models.ForeignKey(InvoiceRun, models.CASCADE, related_name="items")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    reason = models.TextField(blank=True, help_text="Why the customer was parked")
    invoices = models.JSONField(default=list, help_text="What was drafted or finalised")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-run", "customer"]
        constraints = [models.UniqueConstraint(fields=["run", "customer"], name="run_item_once")]

    def __str__(self) -> str:
        return f"{self.customer}, {self.run}"
