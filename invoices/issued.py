"""The invoices themselves, their lines, and what is known of each: numbers, payments, voidings.

Whole numbers only; `_minor` is the currency's minor unit. A finalised row is frozen by triggers; see invoices/guards.py.
"""

from datetime import date
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.timezone import now

from accounts.models import Customer
from invoices.books import CreditNote
from invoices.whole_numbers import WholeNumberField


class InvoiceQuerySet(QuerySet["Invoice"]):
    """Reads of invoices by name."""

    def final(self) -> Self:
        """Those that count: finalised and not void."""
        return self.filter(state=Invoice.State.FINALISED, voiding__isnull=True)

    def with_settlement(self) -> Self:
        """With what `Invoice.status` reads, in this one query."""
        payments = Payment.objects.filter(invoice=OuterRef("pk")).values("invoice")
        paid = Subquery(payments.annotate(paid=Sum("amount_minor")).values("paid"))
        notes = CreditNote.objects.filter(invoice=OuterRef("pk")).values("invoice")
        credited = Subquery(notes.annotate(credited=Sum(F("total_minor") - F("to_wallet_minor"))).values("credited"))
        return self.select_related("voiding").annotate(_paid_minor=Coalesce(paid, 0), _credited_minor=Coalesce(credited, 0))


class Invoice(models.Model):
    """One period of one customer. Once finalised the row never changes: payments and the voiding have rows of their own.

    Everything printed is copied here, so that a later change of name, address or plan leaves it as it was.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        FINALISED = "finalised", "Finalised"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="invoices")
    number = models.CharField(max_length=40, unique=True, null=True, editable=False)  # noqa: DJ001 - drafts have none, and unique
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT, editable=False)
    period_start = models.DateTimeField(help_text="UTC")
    period_end = models.DateTimeField(help_text="UTC, itself outside")
    attempt = models.PositiveSmallIntegerField(default=0, help_text="How many invoices of this period were voided before")
    timezone = models.CharField(max_length=64)
    locale = models.CharField(max_length=16)
    currency = models.CharField(max_length=3)
    seller_name = models.CharField(max_length=200)
    seller_address = models.TextField(blank=True)
    seller_tax_id = models.CharField(max_length=40, blank=True)
    customer_code = models.CharField(max_length=63)
    customer_name = models.CharField(max_length=200)
    customer_address = models.TextField(blank=True)
    customer_tax_id = models.CharField(max_length=40, blank=True)
    seller_country = models.CharField(max_length=2, blank=True)
    customer_country = models.CharField(max_length=2, blank=True)
    customer_email = models.EmailField(blank=True)
    buyer_reference = models.CharField(max_length=100, blank=True, help_text="As the customer wants it quoted")
    seller_contact = models.CharField(max_length=200, blank=True)
    seller_phone = models.CharField(max_length=40, blank=True)
    seller_email = models.EmailField(blank=True)
    seller_iban = models.CharField(max_length=34, blank=True)
    plans = models.JSONField(default=list, help_text="Code, name and version of each plan rated")
    subtotal_minor = models.BigIntegerField(default=0, help_text="The sum of the lines")
    discount_minor = models.BigIntegerField(default=0, help_text="Taken off before tax")
    tax_minor = models.BigIntegerField(default=0)
    tax_included = models.BooleanField(default=False, help_text="The lines hold the tax already")
    credit_minor = models.BigIntegerField(default=0, help_text="Paid from the wallet; below zero, carried over to it")
    total_minor = models.BigIntegerField(default=0, help_text="What is to be paid")
    discounts = models.JSONField(default=list, help_text="Name and amount of each, as printed")
    taxes = models.JSONField(default=list, help_text="Name, category, rate, base and amount of each, as printed")
    held = models.JSONField(default=list, help_text="Which bounds a draft breaks, and how: it waits for a person")
    released = models.JSONField(default=list, help_text="Which of them a person has let pass")
    release_reason = models.CharField(max_length=500, blank=True)
    released_by = models.EmailField(blank=True)
    content_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of everything printed")
    created_at = models.DateTimeField(default=now)
    refreshed_at = models.DateTimeField(default=now, help_text="When the draft was last rated")
    finalised_at = models.DateTimeField(null=True)
    issued_on = models.DateField(null=True, help_text="In the customer's zone")
    due_on = models.DateField(null=True)

    objects: ClassVar[InvoiceQuerySet] = InvoiceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-period_start", "-pk"]
        indexes = [models.Index(fields=["customer", "-period_start"], name="invoice_by_customer")]
        constraints = [
            models.UniqueConstraint(fields=["customer", "period_start", "attempt"], name="invoice_once"),
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="invoice_period"),
            models.CheckConstraint(
                condition=Q(
                    tax_included=False,
                    total_minor=F("subtotal_minor") - F("discount_minor") + F("tax_minor") - F("credit_minor"),
                )
                | Q(tax_included=True, total_minor=F("subtotal_minor") - F("discount_minor") - F("credit_minor")),
                name="invoice_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(state="draft", number__isnull=True, finalised_at__isnull=True)
                | Q(
                    state="finalised",
                    number__isnull=False,
                    finalised_at__isnull=False,
                    issued_on__isnull=False,
                    due_on__isnull=False,
                ),
                name="invoice_state",
            ),
        ]

    def __str__(self) -> str:
        start = self.period_start.astimezone(ZoneInfo(self.timezone))
        return self.number or f"Draft for {self.customer_name}, from {start:%Y-%m-%d}"

    @property
    def status(self) -> str:
        """The status today; one query per invoice, none after `with_settlement()`."""
        return self.status_on(now().astimezone(ZoneInfo(self.timezone)).date())

    def status_on(self, day: date) -> str:
        """draft, held, open, partly_paid, overdue, paid, credited or void."""
        if self.state == self.State.DRAFT:
            return "held" if self.waits else "draft"
        if hasattr(self, "voiding"):
            return "void"
        if self.outstanding_minor <= 0:
            return "credited" if self.credited_minor and not self.paid_minor else "paid"
        if self.due_on is not None and self.due_on < day:
            return "overdue"
        return "partly_paid" if self.paid_minor or self.credited_minor else "open"

    @property
    def owing(self) -> bool:
        """Whether money is still expected for it."""
        return self.status in ("open", "partly_paid", "overdue")

    @property
    def waits(self) -> bool:
        """Whether a bound is broken that nobody has let pass."""
        return any(breach["bound"] not in self.released for breach in self.held)

    @property
    def gross_minor(self) -> int:
        """The total before anything was paid from the wallet."""
        return self.total_minor + self.credit_minor

    @property
    def outstanding_minor(self) -> int:
        """What is still to be paid."""
        return self.total_minor - self.paid_minor - self.credited_minor

    @property
    def paid_minor(self) -> int:
        """What has been received for it so far."""
        known: int | None = getattr(self, "_paid_minor", None)
        return sum(self.payments.values_list("amount_minor", flat=True)) if known is None else known

    @property
    def credited_minor(self) -> int:
        """What credit notes have taken off what is to be paid."""
        known: int | None = getattr(self, "_credited_minor", None)
        return sum(note.total_minor - note.to_wallet_minor for note in self.credit_notes.all()) if known is None else known


class InvoiceLine(models.Model):
    """One printed line. Amounts are rounded once, here; how they came about is in `derivation`, described in docs/money.md."""

    class Kind(models.TextChoices):
        USAGE = "usage", "Usage"
        FLAT_FEE = "flat_fee", "Flat fee"
        MINIMUM_TRUE_UP = "minimum_true_up", "Up to the agreed minimum"
        PRORATION_CREDIT = "proration_credit", "Given back for a part of a period"
        ONE_OFF = "one_off", "One-off item"
        CORRECTION = "correction", "Correction of an earlier period"

    invoice = models.ForeignKey(Invoice, models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=200)
    charge_key = models.CharField(max_length=160, help_text="Which price over which span: what corrections are matched by")
    meter = models.CharField(max_length=40, blank=True)
    plan_code = models.CharField(max_length=63, blank=True)
    plan_name = models.CharField(max_length=120, blank=True)
    plan_version = models.PositiveIntegerField(default=0)
    period_start = models.DateTimeField(help_text="Of this line: the part of the period in which its version held")
    period_end = models.DateTimeField()
    quantity = WholeNumberField(default=0, help_text="In base units, which add up exactly")
    base_unit = models.CharField(max_length=20, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    quantity_text = models.CharField(max_length=40, blank=True, help_text="In the unit, three decimals, for reading")
    exact = models.TextField(help_text="Before rounding, in major units: a decimal, or numerator/denominator")
    amount_minor = models.BigIntegerField()
    derivation = models.JSONField(default=dict)

    class Meta:
        ordering = ["invoice", "position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="line_position_once"),
            models.UniqueConstraint(fields=["invoice", "charge_key", "kind"], name="line_charge_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["usage", "flat_fee", "minimum_true_up", "proration_credit", "one_off", "correction"]),
                name="line_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class InvoiceCounter(models.Model):
    """The next number of a series. Taken under a lock in the finalising transaction, so that no number is missing."""

    series = models.CharField(max_length=30, primary_key=True)
    next_number = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.series}: {self.next_number} next"


class Payment(models.Model):
    """Money received for a finalised invoice. Added, never edited."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="payments")
    amount_minor = models.BigIntegerField()
    reference = models.CharField(max_length=120, help_text="The payer's or the bank's; the same one counts once")
    received_on = models.DateField()
    recorded_at = models.DateTimeField(default=now)
    recorded_by = models.EmailField(blank=True, help_text="Copied, so that the row outlives the person's account")

    class Meta:
        ordering = ["invoice", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "reference"], name="payment_once"),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="payment_not_zero"),
        ]

    def __str__(self) -> str:
        return self.reference


class Voiding(models.Model):
    """That a finalised invoice was declared void, and why. Its number stays taken; its period may be billed anew."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="voiding")
    reason = models.CharField(max_length=500)
    voided_at = models.DateTimeField(default=now)
    voided_by = models.EmailField(blank=True)

    def __str__(self) -> str:
        return f"{self.invoice} void: {self.reason}"
